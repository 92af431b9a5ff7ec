"""One message from receive to settlement: parse, handle, and decide what its failure means."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass

from contracts.errors import EventError
from contracts.events import Event
from worker import logs
from worker.backoff import retry_delay_seconds, spread
from worker.execution import Executor, Result, Verdict
from worker.logs import Field, Outcome
from worker.outcomes import log_outcome, why_not_tried
from worker.sources.queue.dead_letters import DeadLetters, failure_of
from worker.sources.queue.hand import Hand
from worker.sources.queue.messages import Message
from worker.sources.queue.settlement import Settlement

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
        settlement: deletes, and gives back.
        dead_letters: None leaves poison to the queue's redrive policy.
        queue_arn: where a replay sends dead-lettered messages.
        max_receive_count: None never gives up.
        stopping: set when the worker is asked to stop.
    """

    executor: Executor
    hand: Hand
    settlement: Settlement
    dead_letters: DeadLetters | None
    queue_arn: str
    max_receive_count: int | None
    stopping: threading.Event

    def handle(self, message: Message) -> bool:
        """Handle and settle one message.

        Returns:
            True when it will not come back, so that the next of its group may follow.
        """
        fields = {Field.MESSAGE_ID: message.id, Field.RECEIVE_COUNT: message.receive_count}
        if message.group is not None:
            fields[Field.MESSAGE_GROUP] = message.group
        with logs.context(**fields):
            started = time.monotonic()
            try:
                event = Event.from_json(message.body)
            except EventError as error:
                return self._give_up(message, error, retryable=False, started=started)
            key = event.idempotency_key
            fields = {Field.EVENT_ID: event.id, Field.EVENT_TYPE: event.detail_type, Field.IDEMPOTENCY_KEY: key}
            with logs.context(**fields):
                self.hand.handling(message, key)
                return self._settle(message, self._execute(message, event), started)

    def _last_attempt(self, message: Message) -> bool:
        return self.max_receive_count is not None and message.receive_count >= self.max_receive_count

    def _execute(self, message: Message, event: Event) -> Verdict:
        """Call the handler.

        The last attempt waits here for what is not the message's fault: given back, it would be dead-lettered by the
        queue without ever having failed.
        """
        waits = 0
        while True:
            verdict = self.executor.execute(event, lambda: self.hand.remaining_seconds(message))
            if verdict.result not in (Result.BUSY, Result.UNAVAILABLE) or not self._last_attempt(message):
                return verdict
            pause = _pause_seconds(verdict, waits)
            logger.warning(
                "the last attempt waits: %s",
                why_not_tried(verdict),
                extra={Field.DELAY_SECONDS: round(pause, 3), Field.ERROR: _error_name(verdict.error)},
            )
            if self.stopping.wait(pause) or not self.hand.remaining_seconds(message):
                return verdict
            waits += 1

    def _settle(self, message: Message, verdict: Verdict, started: float) -> bool:
        if verdict.result in (Result.HANDLED, Result.DUPLICATE):
            self.settlement.delete(message)
            log_outcome(logger, logging.INFO, Outcome(verdict.result.value), started)
            return True
        if verdict.result is Result.FAILED and verdict.error is not None:
            if verdict.retryable and not self._last_attempt(message):
                return self._retry(message, verdict.error, started)
            return self._give_up(message, verdict.error, retryable=verdict.retryable, started=started)
        # The receives that this costs do no harm: the last one waits here instead.
        delay = math.ceil(_pause_seconds(verdict, message.receive_count - 1))
        self.settlement.give_back([message], 0 if self.stopping.is_set() else delay)
        log_outcome(
            logger,
            logging.WARNING if verdict.result is Result.UNAVAILABLE else logging.INFO,
            Outcome.GIVEN_BACK,
            started,
            {Field.REASON: why_not_tried(verdict), Field.DELAY_SECONDS: delay, Field.ERROR: _error_name(verdict.error)},
        )
        return False

    def _retry(self, message: Message, error: Exception, started: float) -> bool:
        delay = retry_delay_seconds(message.receive_count)
        self.settlement.give_back([message], delay)
        log_outcome(logger, logging.WARNING, Outcome.RETRY, started, {Field.DELAY_SECONDS: delay}, error)
        return False

    def _give_up(self, message: Message, error: Exception, *, retryable: bool, started: float) -> bool:
        failure = failure_of(error, message, retryable=retryable, queue_arn=self.queue_arn)
        if self.dead_letters is None or not self.dead_letters.put(message, failure):
            return self._retry(message, error, started)
        self.settlement.delete(message)
        log_outcome(logger, logging.ERROR, Outcome.DEAD_LETTERED, started, {Field.REASON: failure.message}, error)
        return True


def _pause_seconds(verdict: Verdict, tries: int) -> float:
    pause = spread(min(2.0 ** min(tries, 10), MAX_HOLD_SECONDS))
    if verdict.retry_after_seconds is None:
        return pause
    return min(pause, verdict.retry_after_seconds + spread(1.0))  # by then the key is free, one way or the other


def _error_name(error: Exception | None) -> str | None:
    return None if error is None else type(error).__name__
