"""Handle one step, beat its heart meanwhile, and report how it went."""

from __future__ import annotations

import logging
import time
from enum import StrEnum
from typing import TYPE_CHECKING

from contracts.errors import EventError
from contracts.workflows import INTERRUPTED, REFUSED, Step
from worker import logs
from worker.execution import Executor, Result, Verdict
from worker.logs import Field, Outcome
from worker.single import SingleWork
from worker.stopping import Stop
from worker.threads import spawn
from worker.workflow.reporting import TaskToken

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["Ending", "Stepper", "interrupt"]

logger = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a step left this worker."""

    REPORTED = "reported"
    """The state machine has the result."""
    FAILED = "failed"
    """The state machine has the handler's error."""
    REFUSED = "refused"
    """The state machine has an error that no retry can help."""
    GIVEN_BACK = "given-back"
    """The worker was told to stop before the handler had ended; the state machine was told to try again."""
    LOST = "lost"
    """Nobody waits for it any more, or nobody could be told; the handler may still run."""


class Stepper:
    """Handles steps; as many at a time as threads call `run`.

    Args:
        client: for heartbeats and reports.
        executor: of the worker.
        stop: ends the waiting for a handler, after the drain.
        heartbeat_seconds: of the state.
        drain_seconds: how long a handler may go on after SIGTERM.
        dies: whether the process ends with a step that nobody waits for. If not, its handler keeps its key.
    """

    def __init__(
        self,
        client: SFNClient,
        executor: Executor,
        stop: Stop,
        *,
        heartbeat_seconds: float,
        drain_seconds: float,
        dies: bool,
    ) -> None:
        self._client = client
        self._executor = executor
        self._stop = stop
        self._heartbeat_seconds = heartbeat_seconds
        self._drain_seconds = drain_seconds
        self._dies = dies

    def run(self, text: str | Step, token_text: str) -> Ending:
        """One attempt of one step, to its end.

        Args:
            text: the step, or the input of an activity's task.
            token_text: the task token.
        """
        token = TaskToken(self._client, token_text, beat_seconds=self._heartbeat_seconds / 3)
        spawn("heart", token.beat, self._stop)
        try:
            step = text if isinstance(text, Step) else Step.from_json(text, token_text)
            event = step.event()
        except EventError as error:
            logger.error(
                "the step's input is malformed", extra={Field.OUTCOME: Outcome.REFUSED, Field.REASON: str(error)}
            )
            token.fail(REFUSED, f"EventError: {error}")
            return Ending.REFUSED
        fields = {
            Field.STEP: step.name,
            Field.EXECUTION: step.execution,
            Field.EVENT_ID: event.id,
            Field.EVENT_TYPE: event.detail_type,
            Field.IDEMPOTENCY_KEY: event.idempotency_key,
        }
        with logs.context(**fields):
            started = time.monotonic()
            work = SingleWork(event, self._executor, self._stop, lease_seconds=self._heartbeat_seconds, fields=fields)
            work.start()
            self._wait(work, token)
            ending = self._end(work, token)
            duration = round((time.monotonic() - started) * 1000)
            self._log(ending, work.verdict, duration)
        return ending

    def _wait(self, work: SingleWork, token: TaskToken) -> None:
        while not (work.done.wait(0.05) or token.lost.is_set()):
            if self._stop.requested.is_set():
                deadline = time.monotonic() + self._drain_seconds
                while time.monotonic() < deadline and not (work.done.wait(0.05) or token.lost.is_set()):
                    pass
                return

    def _end(self, work: SingleWork, token: TaskToken) -> Ending:
        if work.verdict is None:
            if not token.lost.is_set():
                work.give_up()
                interrupt(token)
                return Ending.GIVEN_BACK
            if self._dies:
                work.give_up()
            else:
                work.forbid()
                work.done.wait()
            return Ending.LOST
        verdict = work.verdict
        if verdict.result is not Result.FAILED:
            return Ending.REPORTED if token.succeed(verdict.value) else Ending.LOST
        name = type(verdict.error).__name__
        if verdict.retryable:
            return Ending.FAILED if token.fail(name, str(verdict.error)) else Ending.LOST
        return Ending.REFUSED if token.fail(REFUSED, f"{name}: {verdict.error}") else Ending.LOST

    def _log(self, ending: Ending, verdict: Verdict | None, duration: int) -> None:
        outcome = _OUTCOMES[ending]
        if ending is Ending.REPORTED and verdict is not None and verdict.result is Result.DUPLICATE:
            outcome = Outcome.DUPLICATE
        extra: dict[str, object] = {Field.OUTCOME: outcome, Field.DURATION_MS: duration}
        if verdict is not None and verdict.error is not None:
            extra |= {Field.ERROR: type(verdict.error).__name__, Field.REASON: str(verdict.error)}
            logger.error("the handler failed", exc_info=verdict.error, extra=extra)
        elif ending is Ending.LOST:
            logger.warning("nobody waits for this step any more", extra=extra)
        elif ending is Ending.GIVEN_BACK:
            logger.warning("interrupted", extra=extra)
        else:
            logger.info("step handled", extra=extra)


_OUTCOMES = {
    Ending.REPORTED: Outcome.HANDLED,
    Ending.FAILED: Outcome.FAILED,
    Ending.REFUSED: Outcome.REFUSED,
    Ending.GIVEN_BACK: Outcome.GIVEN_BACK,
    Ending.LOST: Outcome.LOST,
}


def interrupt(token: TaskToken) -> bool:
    """Give a task back: the state machine's default retries let another worker have it at once."""
    return token.fail(INTERRUPTED, "the worker was told to stop before the step was done")
