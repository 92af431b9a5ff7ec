"""What the source `stream` needs beyond the settings that all sources share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts import environment as names
from worker.errors import SettingsError
from worker.settings import Reader

__all__ = ["Start", "StreamSettings", "read"]


class Start(StrEnum):
    """Where an application without checkpoints begins."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """Every attribute is documented at the variable's name in `contracts.environment`.

    Attributes:
        stream_arn: the stream to consume.
        consumer_arn: the registered consumer to read as; None polls.
        lease_table: of this application, and of no other.
        lease_seconds: 2 to 300; default 20.
        start: default TRIM_HORIZON.
        batch_size: 1 to 10,000; default 500.
        max_attempts: 1 to 1,000; default 5.
        on_failure_queue_url: required: without it, one poison record would hold its key back until it expires.
    """

    stream_arn: str
    lease_table: str
    on_failure_queue_url: str
    consumer_arn: str | None = None
    lease_seconds: float = 20
    start: Start = Start.TRIM_HORIZON
    batch_size: int = 500
    max_attempts: int = 5


def read(environment: Mapping[str, str]) -> StreamSettings:
    """Read and check the settings.

    Raises:
        SettingsError: one line per mistake: the variable, its value, what is allowed.
    """
    reader = Reader(environment)
    queue_url = reader.required(names.DEAD_LETTER_QUEUE_URL, "the URL of the queue for records that cannot be handled")
    settings = StreamSettings(
        stream_arn=_arn(reader, names.STREAM_ARN, reader.required(names.STREAM_ARN, "the ARN of the stream")),
        consumer_arn=_arn(reader, names.STREAM_CONSUMER_ARN, reader.text(names.STREAM_CONSUMER_ARN)) or None,
        lease_table=reader.required(names.LEASE_TABLE, "the DynamoDB table of this application's leases"),
        lease_seconds=reader.integer(names.LEASE_SECONDS, 2, 300, 20),
        start=Start(_start(reader)),
        batch_size=reader.integer(names.STREAM_BATCH_SIZE, 1, 10_000, 500),
        max_attempts=reader.integer(names.MAX_ATTEMPTS, 1, 1_000, 5),
        on_failure_queue_url=reader.url(names.DEAD_LETTER_QUEUE_URL, queue_url),
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _start(reader: Reader) -> str:
    allowed = tuple(start.value for start in Start)
    value = reader.choice(names.START_POSITION, allowed, Start.TRIM_HORIZON)
    return value if value in allowed else Start.TRIM_HORIZON


def _arn(reader: Reader, name: str, value: str) -> str:
    if value and not (value.startswith("arn:") and ":kinesis:" in value):
        reader.mistakes.append(f"{name}: {value!r} is not an ARN of Kinesis; allowed: arn:aws:kinesis:…:stream/…")
    return value
