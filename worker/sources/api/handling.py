"""One request body from its bytes to an answer."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from http import HTTPStatus

from contracts.errors import EventError
from contracts.events import Event
from worker import logs
from worker.execution import Executor, Result, Verdict
from worker.logs import Field, Outcome
from worker.sources.api.answers import RETRY_AFTER_SECONDS, Answer, problem, result
from worker.sources.api.in_flight import InFlight

__all__ = ["Handling", "log_outcome"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Handling:
    """What the handler threads share.

    Attributes:
        executor: calls the handler.
        in_flight: holds the request meanwhile, for the heartbeat.
        lease_seconds: for how long the idempotency key is taken at a time.
    """

    executor: Executor
    in_flight: InFlight
    lease_seconds: float

    def handle(self, number: int, body: bytes) -> Answer:
        """Handle the request with this number. What it raises is a mistake of the worker, never of the handler.

        The statuses are chosen for EventBridge's API destinations, which repeat 401, 407, 409, 429 and 5xx and
        dead-letter the rest: 409 and 5xx can help when repeated, 400 and 422 cannot.
        """
        started = time.monotonic()
        try:
            event = Event.from_json(_text(body))
        except EventError as error:
            log_outcome(Outcome.REFUSED, started, HTTPStatus.BAD_REQUEST, reason=str(error))
            return problem(HTTPStatus.BAD_REQUEST, str(error))
        key = event.idempotency_key
        with logs.context(
            **{Field.EVENT_ID: event.id, Field.EVENT_TYPE: event.detail_type, Field.IDEMPOTENCY_KEY: key}
        ):
            self.in_flight.handling(number, key)
            return _answer(self.executor.execute(event, lambda: self.lease_seconds), started)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise EventError(f"event: not UTF-8 ({error})") from error


def _answer(verdict: Verdict, started: float) -> Answer:
    match verdict.result:
        case Result.HANDLED | Result.DUPLICATE:
            log_outcome(Outcome(verdict.result.value), started, HTTPStatus.OK)
            return result(verdict.value, replayed=verdict.result is Result.DUPLICATE)
        case Result.FAILED if not verdict.retryable:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            log_outcome(Outcome.FAILED, started, status, error=verdict.error)
            return problem(status, str(verdict.error))
        case Result.FAILED:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            log_outcome(Outcome.FAILED, started, status, error=verdict.error)
            # The exception's text is the handler's own and may hold what a caller must not see.
            return problem(status, "the handler failed; its log says why")
        case Result.BUSY:
            status = HTTPStatus.CONFLICT
            reason = "an event with this idempotency key is being handled now"
            after = max(RETRY_AFTER_SECONDS, math.ceil(verdict.retry_after_seconds or 0))
        case Result.UNAVAILABLE:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            reason, after = "whether the event was handled before cannot be found out now", RETRY_AFTER_SECONDS
    log_outcome(Outcome.GIVEN_BACK, started, status, reason=reason, error=verdict.error)
    return problem(status, reason, retry_after_seconds=after)


def log_outcome(
    outcome: Outcome,
    started: float,
    status: HTTPStatus,
    *,
    reason: str | None = None,
    error: Exception | None = None,
) -> None:
    """The one line of a request."""
    extra: dict[str, object] = {
        Field.OUTCOME: outcome.value,
        Field.STATUS: status.value,
        Field.DURATION_MS: round((time.monotonic() - started) * 1000, 1),
    }
    if reason is not None:
        extra[Field.REASON] = reason
    if error is not None:
        extra[Field.ERROR] = type(error).__name__
    level = logging.INFO if status < HTTPStatus.BAD_REQUEST else logging.WARNING
    logger.log(level, outcome.value, extra=extra, exc_info=error)
