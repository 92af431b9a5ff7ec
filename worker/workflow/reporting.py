"""Tell Step Functions how a task goes: heartbeats while it runs, then one report."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.shared.json_encoder import Encoder
from botocore.exceptions import BotoCoreError, ClientError

from contracts.workflows import MAX_CAUSE_CHARACTERS, MAX_ERROR_CHARACTERS, MAX_RESULT_BYTES, RESULT_TOO_LARGE
from worker.backoff import spread
from worker.logs import Field

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["TaskToken"]

_NOBODY_WAITS = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
_REPORT_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)

logger = logging.getLogger(__name__)


class TaskToken:
    """One task that a state machine waits for.

    Args:
        client: with retries.
        token: of this attempt.
        beat_seconds: between two heartbeats.

    Attributes:
        lost: set when nobody waits for the task any more: it has timed out, or its execution has ended.
    """

    def __init__(self, client: SFNClient, token: str, *, beat_seconds: float) -> None:
        self._client = client
        self._token = token
        self._beat_seconds = beat_seconds
        self._over = threading.Event()
        self.lost = threading.Event()

    def beat(self) -> None:
        """Beat at once, and then regularly until the report; a failure is logged, and the next beat is its retry."""
        while not self._over.is_set():
            self._beat_once()
            if self.lost.is_set():
                return
            self._over.wait(self._beat_seconds)

    def _beat_once(self) -> None:
        try:
            self._client.send_task_heartbeat(taskToken=self._token)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOBODY_WAITS:
                logger.warning("a heartbeat failed", extra={Field.REASON: str(error)})
            elif not self._over.is_set():  # else it crossed the report
                self.lost.set()
        except BotoCoreError as error:
            logger.warning("a heartbeat failed", extra={Field.REASON: str(error)})

    def succeed(self, result: dict[str, Any] | None) -> bool:
        """Report the result; a `result` that Step Functions cannot take is reported as what it is, a failure.

        Returns:
            Whether somebody waited for it.
        """
        text = json.dumps(result or {}, cls=Encoder, ensure_ascii=False)
        if (size := len(text.encode())) > MAX_RESULT_BYTES:
            return self.fail(
                RESULT_TOO_LARGE,
                f"the handler succeeded, but its result is {size:,} bytes of JSON; Step Functions takes "
                f"{MAX_RESULT_BYTES:,}: put it into S3 and return its place",
            )
        return self._report(lambda: self._client.send_task_success(taskToken=self._token, output=text))

    def fail(self, error: str, cause: str) -> bool:
        """Report a failure by the name that the state machine's retries and catchers know.

        Returns:
            Whether somebody waited for it.
        """
        return self._report(
            lambda: self._client.send_task_failure(
                taskToken=self._token, error=error[:MAX_ERROR_CHARACTERS], cause=cause[:MAX_CAUSE_CHARACTERS]
            )
        )

    def _report(self, send: Callable[[], object]) -> bool:
        try:
            for pause in _REPORT_PAUSES_SECONDS:
                try:
                    send()
                    return True
                except ClientError as error:
                    if error.response["Error"]["Code"] in _NOBODY_WAITS:
                        self.lost.set()
                        return False
                    problem: Exception = error
                except BotoCoreError as error:
                    problem = error
                # The heart goes on beating meanwhile: the work is done, and must not be repeated for a late report.
                logger.warning("a report failed; trying again", extra={Field.REASON: str(problem)})
                self._over.wait(spread(pause))
            logger.error("the task could not be reported; the state machine will miss its heartbeat")
            return False
        finally:
            self._over.set()
