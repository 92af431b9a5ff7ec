"""The line that tells how an attempt at a message or a record ended; the same for queues, brokers and streams."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from contracts.errors import EventError
from worker.errors import WorkerLostError
from worker.execution import Result, Verdict
from worker.logs import Field, Outcome

__all__ = ["log_outcome", "why_not_tried"]


def why_not_tried(verdict: Verdict) -> str:
    """Why the handler was not called, with BUSY and UNAVAILABLE."""
    if verdict.result is Result.BUSY:
        return "another worker is handling the same idempotency key"
    return f"the idempotency table is not available ({verdict.error})"


def log_outcome(
    logger: logging.Logger,
    level: int,
    outcome: Outcome,
    started: float,
    fields: Mapping[str, object | None] | None = None,
    error: Exception | None = None,
) -> None:
    """Write the line.

    Args:
        started: when the attempt began, of ``time.monotonic()``.
        fields: more of the line; None is left out.
        error: adds its class, and its traceback unless its text says all.
    """
    if not logger.isEnabledFor(level):
        return
    extra: dict[str, object] = {
        Field.OUTCOME: outcome.value,
        Field.DURATION_MS: round((time.monotonic() - started) * 1000, 1),
        **{name: value for name, value in (fields or {}).items() if value is not None},
    }
    trace = None
    if error is not None:
        extra[Field.ERROR] = type(error).__name__
        trace = None if isinstance(error, EventError | WorkerLostError) else error
    logger.log(level, outcome.value, extra=extra, exc_info=trace)
