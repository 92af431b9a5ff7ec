"""One message from delivery to settlement: parse, handle, and decide what its failure means."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.errors import EventError
from contracts.events import Event
from contracts.messages import Failure
from worker import logs
from worker.backoff import retry_delay_seconds, spread
from worker.errors import WorkerLostError
from worker.execution import Executor, Result, Verdict
from worker.logs import Field, Outcome
from worker.outcomes import log_outcome, why_not_tried
from worker.sources.broker.hand import Hand
from worker.sources.broker.lanes import Lanes
from worker.sources.broker.messages import Acknowledge, DeadLetter, Disposition, GiveBack, Message, Park

__all__ = ["Handling"]

MAX_HOLD_SECONDS = 30.0
"""Between two looks at a key that is taken, or at a table that cannot be reached."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Handling:
    """What the handler threads share.

    Attributes:
        executor: calls the handler.
        hand: holds the message meanwhile.
        lanes: where a message waits that cannot wait on the broker.
        queue: its name, for the reason of a dead letter.
        max_receive_count: None never gives up.
        lease_seconds: how long the key of an event is taken, unless extended.
    """

    executor: Executor
    hand: Hand
    lanes: Lanes
    queue: str
    max_receive_count: int | None
    lease_seconds: float

    def handle(self, message: Message) -> None:
        """Handle and settle one message, or keep it for another attempt."""
        started = time.monotonic()
        with logs.context(**{Field.MESSAGE_ID: message.id, Field.RECEIVE_COUNT: message.receive_count}):
            if self.max_receive_count is not None and message.receive_count > self.max_receive_count:
                lost = WorkerLostError(
                    f"{message.receive_count - 1} deliveries, and in none of them was the message settled; the worker "
                    "may have been killed by it"
                )
                self._give_up(message, lost, retryable=True, started=started)
                return
            try:
                event = Event.from_json(message.body.decode(errors="replace"))
            except EventError as error:
                self._give_up(message, error, retryable=False, started=started)
                return
            key = event.idempotency_key
            fields = {Field.EVENT_ID: event.id, Field.EVENT_TYPE: event.detail_type, Field.IDEMPOTENCY_KEY: key}
            with logs.context(**fields):
                self.hand.handling(message, key)
                verdict = self.executor.execute(event, lambda: self.lease_seconds)
                self.hand.handling(message, None)
                self._settle(message, verdict, started)

    def _settle(self, message: Message, verdict: Verdict, started: float) -> None:
        if verdict.result in (Result.HANDLED, Result.DUPLICATE):
            self._leave(message, Acknowledge())
            log_outcome(logger, logging.INFO, Outcome(verdict.result.value), started)
        elif verdict.result is Result.FAILED and verdict.error is not None:
            last = self.max_receive_count is not None and message.receive_count >= self.max_receive_count
            if verdict.retryable and not last:
                delay = spread(retry_delay_seconds(message.receive_count))
                log_outcome(
                    logger,
                    logging.WARNING,
                    Outcome.RETRY,
                    started,
                    {Field.DELAY_SECONDS: round(delay, 1)},
                    verdict.error,
                )
                self._later(message, delay, receive_count=message.receive_count)
            else:
                self._give_up(message, verdict.error, retryable=verdict.retryable, started=started)
        else:
            # Through no fault of the message: the attempt does not count.
            delay = _pause_seconds(verdict)
            log_outcome(
                logger,
                logging.WARNING if verdict.result is Result.UNAVAILABLE else logging.INFO,
                Outcome.GIVEN_BACK,
                started,
                {Field.REASON: why_not_tried(verdict), Field.DELAY_SECONDS: round(delay, 1)},
            )
            self._later(message, delay, receive_count=message.receive_count - 1)

    def _leave(self, message: Message, disposition: Disposition) -> None:
        self.lanes.finish(message)
        message.link.settle(message, disposition)

    def _later(self, message: Message, delay_seconds: float, *, receive_count: int) -> None:
        """Another attempt, which counts from `receive_count`."""
        if message.link.parks:
            self._leave(message, Park(delay_seconds=delay_seconds, receive_count=receive_count))
            return
        message.receive_count = receive_count + 1
        if not self.lanes.finish(message, again_in_seconds=delay_seconds):
            message.link.settle(message, GiveBack())

    def _give_up(self, message: Message, error: Exception, *, retryable: bool, started: float) -> None:
        failure = Failure(
            error=type(error).__name__,
            message=str(error).encode(errors="replace").decode(),
            receive_count=message.receive_count,
            retryable=retryable,
            queue_arn=self.queue,
            failed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        self._leave(message, DeadLetter(failure=failure))
        log_outcome(logger, logging.ERROR, Outcome.DEAD_LETTERED, started, {Field.REASON: failure.message}, error)


def _pause_seconds(verdict: Verdict) -> float:
    pause = spread(MAX_HOLD_SECONDS if verdict.result is Result.UNAVAILABLE else 2.0)
    if verdict.retry_after_seconds is None:
        return pause
    return min(MAX_HOLD_SECONDS, verdict.retry_after_seconds + spread(1.0))  # by then the key is free
