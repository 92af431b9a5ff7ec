"""JSON lines on stdout, one shape for the worker's and the handler's own log calls."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

__all__ = ["Field", "Outcome", "configure", "context"]


class Field(StrEnum):
    """Names of the fields that the worker adds to a line; dashboards and `ops` read them."""

    PATTERN = "pattern"
    OUTCOME = "outcome"
    EVENT_ID = "event_id"
    EVENT_TYPE = "event_type"
    IDEMPOTENCY_KEY = "idempotency_key"
    MESSAGE_ID = "message_id"
    MESSAGE_GROUP = "message_group"
    RECEIVE_COUNT = "receive_count"
    SHARD = "shard"
    SEQUENCE_NUMBER = "sequence_number"
    PARTITION_KEY = "partition_key"
    ATTEMPT = "attempt"
    """Of the handler with one record of a stream, from 1."""
    DURATION_MS = "duration_ms"
    DELAY_SECONDS = "delay_seconds"
    """How long the message stays invisible before the next attempt."""
    ERROR = "error"
    """The exception's class, or the error code of an AWS service."""
    REASON = "reason"
    MESSAGES = "messages"
    """A number of messages."""
    STEP = "step"
    """Of a state machine."""
    EXECUTION = "execution"
    STATUS = "status"
    """Of an HTTP answer."""


class Outcome(StrEnum):
    """How one receive of a message ended; one line with an outcome is written per receive."""

    HANDLED = "handled"
    DUPLICATE = "duplicate"
    """The key had been handled before: deleted without calling the handler."""
    RETRY = "retry"
    """The handler failed; the message comes back after a back-off."""
    DEAD_LETTERED = "dead-lettered"
    FAILED = "failed"
    """The handler failed, and the caller of the API was told."""
    REFUSED = "refused"
    """A request that never reached the handler."""
    SKIPPED = "skipped"
    """Source ``task``: another task of the pattern was running. Of a stream: a replay for another application."""
    LOST = "lost"
    """A step that its state machine waits for no longer; a handler that still runs keeps its idempotency key."""
    GIVEN_BACK = "given-back"
    """Not tried to the end, through no fault of the message; it comes back."""


Fields = Callable[[], Mapping[str, Any]]

_CONTEXT: ContextVar[tuple[Any, Fields] | None] = ContextVar("log_context", default=None)
"""The fields of the innermost `context`, and the context around it."""


class _Context:
    __slots__ = ("_fields", "_token")

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token = _CONTEXT.set((_CONTEXT.get(), self._fields))

    def __exit__(self, *_exc: object) -> None:
        _CONTEXT.reset(self._token)


def context(lazily: Fields | None = None, /, **fields: Any) -> AbstractContextManager[None]:
    """Add `fields` to every line that this thread logs meanwhile, also from inside the handler.

    Args:
        lazily: makes the fields when a line is written, which for most records of a stream is never.
        fields: as they are.
    """
    return _Context(lazily or (lambda: fields))


def _add_context(record: logging.LogRecord) -> bool:
    found: dict[str, Any] = {}
    inner = _CONTEXT.get()
    while inner is not None:
        outer, fields = inner
        found = {**fields(), **found}
        inner = outer
    if found:
        record.__dict__ = {**found, **record.__dict__}
    return True


def configure(level: str, pattern: str) -> None:
    """Send every logger of this process to stdout as JSON; libraries log from WARNING on.

    Args:
        level: DEBUG, INFO, WARNING or ERROR, for the worker and the handler.
        pattern: the pattern's name, on every line.
    """
    handler = logging.StreamHandler(sys.stdout)
    # Powertools' formatter knows how to turn any value and any traceback into JSON.
    formatter = LambdaPowertoolsFormatter(
        utc=True, use_rfc3339=True, serialize_stacktrace=False, log_record_order=["timestamp", "level", "message"]
    )
    formatter.append_keys(**{Field.PATTERN: pattern})
    handler.setFormatter(formatter)
    handler.addFilter(_add_context)
    # No line shows them, and to find them out for each costs.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for library in ("botocore", "boto3", "urllib3", "aws_lambda_powertools"):
        logging.getLogger(library).setLevel(logging.WARNING)
