"""One record: parse, handle, and decide what its failure means."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from contracts.errors import EventError
from contracts.events import Event
from worker import logs
from worker.backoff import spread
from worker.execution import Executor, Result, Verdict
from worker.logs import Field, Outcome
from worker.outcomes import log_outcome, why_not_tried
from worker.sources.stream.lanes import Lanes, Work
from worker.sources.stream.progress import Progress
from worker.sources.stream.records import Record

__all__ = ["MAX_RETRY_SECONDS", "Handling", "Holder", "Rejects", "retry_delay_seconds"]

MAX_RETRY_SECONDS = 30.0
"""A failing record holds back its key, and the checkpoint of its shard: minutes as in a queue would be too long."""
MAX_WAIT_SECONDS = 10.0
"""Between two looks at a key that is taken, or at a table or a queue that cannot be reached."""

logger = logging.getLogger(__name__)


def retry_delay_seconds(attempt: int) -> float:
    """The back-off after the failed `attempt`: 0.5 s doubled with each, at most 30 s, of which a random half."""
    return spread(min(0.5 * 2.0 ** min(attempt - 1, 30), MAX_RETRY_SECONDS))


class Holder(Protocol):
    """For whom records are handled: the holding of a shard, the assignment of a partition."""

    draining: threading.Event
    progress: Progress

    def __hash__(self) -> int:
        """By identity."""
        ...

    @property
    def shard_id(self) -> str:
        """For the log, and for whoever looks for the record."""
        ...

    def remaining_seconds(self) -> float:
        """For how long nobody else can hold it; 0 when that is over."""
        ...

    def begin(self, key: str) -> None:
        """An event with this idempotency key is being handled."""
        ...

    def end(self, key: str) -> None:
        """No longer."""
        ...


class Rejects(Protocol):
    """Where records go that cannot be handled."""

    def put(self, record: Record, shard_id: str, error: Exception, *, attempts: int, retryable: bool) -> bool:
        """Put it there; False when it could not be, and the record must not be passed over."""
        ...


H = TypeVar("H", bound=Holder)


@dataclass(frozen=True, kw_only=True)
class Handling(Generic[H]):
    """What the handler threads share.

    Attributes:
        executor: calls the handler.
        lanes: where the record came from.
        on_failure: takes what cannot be handled.
        max_attempts: calls of the handler with one record.
        application: this one's name. A record that was put back for another one is passed over.
    """

    executor: Executor
    lanes: Lanes[H]
    on_failure: Rejects
    max_attempts: int
    application: str = ""

    def handle(self, work: Work[H]) -> None:
        """Handle one record; it is settled, or comes again."""
        holding, record = work.owner, work.record
        if holding.draining.is_set() or not holding.remaining_seconds():
            # Not ours any more, or soon not: the next owner begins with it. Put off, it is forgotten with its owner.
            self.lanes.put_off(work, 0.1)
            return
        started = time.monotonic()
        if work.given_up is not None:
            with logs.context(lambda: _fields(work)):
                self._give_up(work, work.given_up, started, retryable=work.retryable)
            return
        try:
            event = _event_of(record.data)
        except EventError as error:
            with logs.context(lambda: _fields(work)):
                self._give_up(work, error, started, retryable=False)
            return
        key = event.idempotency_key
        attempt = work.attempt
        with logs.context(lambda: _fields(work, attempt, event)):
            if event.replay_for and event.replay_for != self.application:
                self._done(work)
                log_outcome(logger, logging.INFO, Outcome.SKIPPED, started)
                return
            holding.begin(key)
            try:
                verdict = self.executor.execute(event, holding.remaining_seconds)
            finally:
                holding.end(key)
            self._settle(work, verdict, started)

    def _settle(self, work: Work[H], verdict: Verdict, started: float) -> None:
        if verdict.result in (Result.HANDLED, Result.DUPLICATE):
            self._done(work)
            log_outcome(logger, logging.INFO, Outcome(verdict.result.value), started)
        elif verdict.result is Result.FAILED and verdict.error is not None:
            if verdict.retryable and work.attempt < self.max_attempts:
                delay = retry_delay_seconds(work.attempt)
                work.attempt += 1
                work.waits = 0
                self.lanes.put_off(work, delay)
                log_outcome(
                    logger,
                    logging.WARNING,
                    Outcome.RETRY,
                    started,
                    {Field.DELAY_SECONDS: round(delay, 2)},
                    verdict.error,
                )
            else:
                self._give_up(work, verdict.error, started, retryable=verdict.retryable)
        else:
            self._wait(work, verdict)

    def _wait(self, work: Work[H], verdict: Verdict) -> None:
        """Through no fault of the record: another worker has its key, or nobody can tell. Not an attempt."""
        pause = _pause_seconds(work.waits)
        if verdict.retry_after_seconds is not None:
            pause = min(pause, verdict.retry_after_seconds + spread(0.5))
        work.waits += 1
        self.lanes.put_off(work, pause)
        logger.log(
            logging.INFO if verdict.result is Result.BUSY else logging.WARNING,
            "the record waits: %s",
            why_not_tried(verdict),
            extra={Field.DELAY_SECONDS: round(pause, 2)},
        )

    def _give_up(self, work: Work[H], error: Exception, started: float, *, retryable: bool) -> None:
        if not self.on_failure.put(work.record, work.owner.shard_id, error, attempts=work.attempt, retryable=retryable):
            work.given_up, work.retryable = error, retryable
            pause = _pause_seconds(work.waits)
            work.waits += 1
            self.lanes.put_off(work, pause)
            return
        self._done(work)
        log_outcome(logger, logging.ERROR, Outcome.DEAD_LETTERED, started, {Field.REASON: str(error)[:1000]}, error)

    def _done(self, work: Work[H]) -> None:
        work.owner.progress.settle(work.record)
        self.lanes.finish(work)


def _fields(work: Work[H], attempt: int | None = None, event: Event | None = None) -> dict[str, object]:
    """What every line about this record tells; `attempt` is the one that the line is about."""
    fields: dict[str, object] = {
        Field.SHARD: work.owner.shard_id,
        Field.SEQUENCE_NUMBER: work.record.sequence_number,
        Field.PARTITION_KEY: work.record.partition_key,
        Field.ATTEMPT: work.attempt if attempt is None else attempt,
    }
    if event is not None:
        fields[Field.EVENT_ID] = event.id
        fields[Field.EVENT_TYPE] = event.detail_type
        fields[Field.IDEMPOTENCY_KEY] = event.idempotency_key
    return fields


def _event_of(data: bytes) -> Event:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise EventError(f"event: not UTF-8 ({error}): {data[:40]!r}") from error
    return Event.from_json(text)


def _pause_seconds(waits: int) -> float:
    return spread(min(0.5 * 2.0 ** min(waits, 10), MAX_WAIT_SECONDS))
