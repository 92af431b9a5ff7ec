"""The worker's settings: the environment variables of `contracts.environment`, read once and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts import environment as names
from worker.errors import SettingsError

__all__ = ["Reader", "Settings", "read"]

_HANDLER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every attribute is documented at the variable's name in `contracts.environment`.

    Attributes:
        handler: ``module:function``.
        queue_url: the queue to consume; empty with another source.
        dead_letter_queue_url: None leaves poison to the queue's redrive policy.
        max_receive_count: 1 to 1,000; None (the queue has no redrive policy) never gives up.
        visibility_timeout_seconds: 2 to 43,200; default 30. The heartbeat needs two seconds to work with.
        batch_size: 1 to 10; default 10.
        concurrency: 1 to 100; default 1.
        receive_wait_seconds: 1 to 20; default 20, shortened so that a poll always ends before the stop timeout.
        stop_timeout_seconds: 2 to 120; default 30, as on ECS.
        idempotency_table: None handles every copy.
        idempotency_expires_seconds: 60 to 31,536,000; default 86,400.
        pattern: in every log line, and the prefix of idempotency keys; default ``worker``.
        log_level: default INFO.
        check_schemas: default False.
        agent_uri: the ECS agent's endpoint, for task scale-in protection; None outside ECS.
    """

    handler: str
    queue_url: str
    dead_letter_queue_url: str | None = None
    max_receive_count: int | None = None
    visibility_timeout_seconds: int = 30
    batch_size: int = 10
    concurrency: int = 1
    receive_wait_seconds: int = 20
    stop_timeout_seconds: int = 30
    idempotency_table: str | None = None
    idempotency_expires_seconds: int = 86_400
    pattern: str = "worker"
    log_level: str = "INFO"
    check_schemas: bool = False
    agent_uri: str | None = None

    @property
    def fifo(self) -> bool:
        """SQS requires the suffix of a FIFO queue's name, and of no other."""
        return self.queue_url.endswith(".fifo")

    @property
    def drain_seconds(self) -> float:
        """How long work in hand may go on after SIGTERM: the stop timeout less a margin to give messages back."""
        return self.stop_timeout_seconds - min(5.0, self.stop_timeout_seconds / 4)


class Reader:
    """Collects mistakes, so that all of them are reported at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.mistakes: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self.environment.get(name, "").strip() or default

    def required(self, name: str, allowed: str) -> str:
        value = self.text(name)
        if not value:
            self.mistakes.append(f"{name}: not set; set it to {allowed}")
        return value

    def url(self, name: str, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            self.mistakes.append(f"{name}: {value!r} is not a queue URL; allowed: https://…, not a name or an ARN")
        return value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        text = self.text(name)
        if not text:
            return None
        try:
            value = int(text)
        except ValueError:
            self.mistakes.append(f"{name}: {text!r} is not a number; allowed: {low:,} to {high:,}")
            return None
        if not low <= value <= high:
            self.mistakes.append(f"{name}: {value:,} is out of range; allowed: {low:,} to {high:,}")
        return value

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        value = self.optional_integer(name, low, high)
        return default if value is None else value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.mistakes.append(f"{name}: {value!r} is unknown; allowed: {', '.join(allowed)}")
        return value


def read(environment: Mapping[str, str], source: str = "queue") -> Settings:
    """Read and check what all sources share and what `queue` needs; other sources read their own variables themselves.

    Raises:
        SettingsError: one line per mistake: the variable, its value, what is allowed.
    """
    reader = Reader(environment)
    handler = reader.required(names.HANDLER, "module:function of a handle(event) function")
    if handler and not _HANDLER.fullmatch(handler):
        reader.mistakes.append(
            f"{names.HANDLER}: {handler!r} is malformed; allowed: module:function, e.g. worker.handlers.pizza:handle"
        )
    stop_timeout_seconds = reader.integer(names.STOP_TIMEOUT_SECONDS, 2, 120, 30)
    settings = Settings(
        handler=handler,
        queue_url=reader.url(names.QUEUE_URL, reader.required(names.QUEUE_URL, "the URL of the queue to consume"))
        if source == "queue"
        else "",
        dead_letter_queue_url=reader.url(names.DEAD_LETTER_QUEUE_URL, reader.text(names.DEAD_LETTER_QUEUE_URL)) or None,
        max_receive_count=reader.optional_integer(names.MAX_RECEIVE_COUNT, 1, 1000),
        visibility_timeout_seconds=reader.integer(names.VISIBILITY_TIMEOUT_SECONDS, 2, 43_200, 30),
        batch_size=reader.integer(names.BATCH_SIZE, 1, 10, 10),
        concurrency=reader.integer(names.CONCURRENCY, 1, 100, 1),
        receive_wait_seconds=min(reader.integer(names.RECEIVE_WAIT_SECONDS, 1, 20, 20), stop_timeout_seconds // 2),
        stop_timeout_seconds=stop_timeout_seconds,
        idempotency_table=reader.text(names.IDEMPOTENCY_TABLE) or None,
        idempotency_expires_seconds=reader.integer(names.IDEMPOTENCY_EXPIRES_SECONDS, 60, 31_536_000, 86_400),
        pattern=reader.text(names.PATTERN, "worker"),
        log_level=reader.choice(names.LOG_LEVEL, LOG_LEVELS, "INFO"),
        check_schemas=reader.choice(names.CHECK_SCHEMAS, ("true", "false"), "false") == "true",
        agent_uri=reader.text(names.ECS_AGENT_URI) or None,
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings
