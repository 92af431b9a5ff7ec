"""Handle the task's event, keep its idempotency key meanwhile, and turn the verdict into an exit code."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from contracts import environment as names
from contracts.errors import EventError
from contracts.events import Event
from worker import logs
from worker.assembly import client_config, executor_for, open_session
from worker.errors import SettingsError
from worker.execution import Executor, Result, Verdict
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.logs import Field, Outcome
from worker.settings import Reader, Settings
from worker.single import LOOK_SECONDS, SingleWork
from worker.sources.task.overlap import Overlap, RunLock
from worker.sources.task.reading import UnreadableError, read_event, read_object
from worker.stopping import Stop
from worker.threads import spawn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

__all__ = ["LEASE_SECONDS", "run"]

LEASE_SECONDS = 30.0
"""How long the key of a killed task stays taken; extended at each third of it."""

logger = logging.getLogger(__name__)


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Handle one event.

    Raises:
        SettingsError: the environment has no event.
    """
    session = open_session()
    client: S3Client = session.client("s3", config=client_config(settings, read_timeout_seconds=20))
    try:
        event = read_event(os.environ, read_object(client))
    except EventError as error:
        logger.error("the task's event is none", extra={Field.OUTCOME: Outcome.FAILED, Field.REASON: str(error)})
        return ExitCode.REFUSED
    except UnreadableError as error:
        logger.error("the task's event cannot be read", extra={Field.OUTCOME: Outcome.FAILED, Field.REASON: str(error)})
        return ExitCode.ERROR
    fields = {
        Field.EVENT_ID: event.id,
        Field.EVENT_TYPE: event.detail_type,
        Field.IDEMPOTENCY_KEY: event.idempotency_key,
    }
    with logs.context(**fields):
        overlap = _overlap(settings)
        executor = executor_for(settings, handler, session)
        work = _Work(event, executor, stop, settings.drain_seconds, fields)
        if overlap is Overlap.ALLOW or settings.idempotency_table is None:
            return work.finish()
        dynamodb: DynamoDBClient = session.client("dynamodb", config=client_config(settings, read_timeout_seconds=5))
        lock = RunLock(dynamodb, settings.idempotency_table, settings.pattern, lease_seconds=LEASE_SECONDS)
        return _alone(lock, overlap, work, stop)


def _overlap(settings: Settings) -> Overlap:
    reader = Reader(os.environ)
    overlap = reader.choice(names.OVERLAP, tuple(Overlap), Overlap.ALLOW)
    if overlap in (Overlap.SKIP, Overlap.QUEUE) and settings.idempotency_table is None:
        reader.mistakes.append(f"{names.OVERLAP}: {overlap!r} needs {names.IDEMPOTENCY_TABLE}, which holds the lock")
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return Overlap(overlap)


def _alone(lock: RunLock, overlap: Overlap, work: _Work, stop: Stop) -> ExitCode:
    waiting = False
    while not lock.take():
        if overlap is Overlap.SKIP:
            logger.info("another task of the pattern runs", extra={Field.OUTCOME: Outcome.SKIPPED})
            return ExitCode.OK
        if not waiting:
            logger.info("waiting for another task of the pattern")
            waiting = True
        if stop.requested.wait(LOOK_SECONDS):
            logger.warning("interrupted while waiting", extra={Field.OUTCOME: Outcome.GIVEN_BACK})
            return ExitCode.UNFINISHED
    spawn("run-lock", lock.keep, stop)
    try:
        return work.finish()
    finally:
        lock.release()


class _Work:
    """The handler runs in a thread, so that the main thread can end the task when it is told to stop."""

    def __init__(
        self, event: Event, executor: Executor, stop: Stop, drain_seconds: float, fields: dict[Field, str]
    ) -> None:
        self._work = SingleWork(event, executor, stop, lease_seconds=LEASE_SECONDS, fields=fields)
        self._stop = stop
        self._drain_seconds = drain_seconds

    def finish(self) -> ExitCode:
        started = time.monotonic()
        work = self._work
        work.start()
        while not work.done.is_set() and not self._stop.requested.is_set():
            self._stop.requested.wait(0.05)
        if self._stop.requested.is_set() and not self._stop.failed:
            work.done.wait(self._drain_seconds)
        if self._stop.failed:
            return ExitCode.ERROR
        duration = round((time.monotonic() - started) * 1000)
        if work.verdict is None:
            work.give_up()
            logger.warning("interrupted", extra={Field.OUTCOME: Outcome.GIVEN_BACK, Field.DURATION_MS: duration})
            return ExitCode.UNFINISHED
        return self._exit_code(work.verdict, duration)

    def _exit_code(self, verdict: Verdict, duration: int) -> ExitCode:
        if verdict.result is Result.FAILED:
            error = verdict.error
            logger.error(
                "the handler failed",
                exc_info=error,
                extra={
                    Field.OUTCOME: Outcome.FAILED,
                    Field.ERROR: type(error).__name__,
                    Field.REASON: str(error),
                    Field.DURATION_MS: duration,
                },
            )
            return ExitCode.ERROR if verdict.retryable else ExitCode.REFUSED
        outcome = Outcome.DUPLICATE if verdict.result is Result.DUPLICATE else Outcome.HANDLED
        logger.info("event handled", extra={Field.OUTCOME: outcome, Field.DURATION_MS: duration})
        return ExitCode.OK
