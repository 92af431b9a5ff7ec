"""Gap: task tokens that time out, and activities whose tasks do.

MiniStack waits for the report of a callback or an activity for ever, whatever HeartbeatSeconds says, and takes a late
report for granted. Here a token knows both limits: the time since it began (TimeoutSeconds) and since its last
heartbeat (HeartbeatSeconds). For an activity both count from the moment that a worker has taken the task (Amazon States
Language, "Task"). Reports for a token that is over answer TaskTimedOut, as AWS does.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.services import stepfunctions

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "Failed", "HeartbeatMissed", "TimedOut", "Token", "install", "open_token", "owner_of", "queue_task"]

SEAMS = (
    "services.stepfunctions._activities",
    "services.stepfunctions._get_activity_task",
    "services.stepfunctions._send_task_failure",
    "services.stepfunctions._send_task_heartbeat",
    "services.stepfunctions._send_task_success",
    "services.stepfunctions.error_response_json",
    "services.stepfunctions.json_response",
)

POLL_SECONDS = 5.0
"""How long GetActivityTask is held; "up to 60 seconds" on AWS, for which nobody wants to wait when a worker stops."""
_LOOK_SECONDS = 0.1
_MAX_OUTPUT_BYTES = 262_144


class Failed(Exception):  # noqa: N818 - a report, no mistake of this program
    """The worker reported a failure."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class TimedOut(Exception):  # noqa: N818
    """TimeoutSeconds have passed."""


class HeartbeatMissed(TimedOut):
    """HeartbeatSeconds have passed without a heartbeat."""


@dataclass
class Token:
    """What a state machine waits for, as long as its execution is `alive`.

    The thread that waits looks now and then; a report in between is held against the limits, too.
    """

    text: str
    owner_arn: str
    alive: Callable[[], bool]
    timeout_seconds: float | None = None
    heartbeat_seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    worker_name: str | None = None
    taken: threading.Event = field(default_factory=threading.Event)
    over: bool = False
    _began: float | None = None
    _beat: float = 0.0
    _reported: threading.Event = field(default_factory=threading.Event)
    _result: Any = None
    _failure: Failed | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, worker_name: str | None = None) -> None:
        """Both limits count from here."""
        with self._lock:
            self.worker_name = worker_name
            self._began = self._beat = self.clock()
        self.taken.set()

    def beat(self) -> bool:
        """Whether somebody still waits."""
        with self._lock:
            if not self._awaited():
                return False
            self._beat = self.clock()
            return True

    def report(self, result: Any = None, failure: Failed | None = None) -> bool:
        """Whether somebody still waited."""
        with self._lock:
            if not self._awaited():
                return False
            self._result, self._failure = result, failure
            self._reported.set()
            return True

    def wait(self) -> Any:
        """The result of the report.

        Raises:
            Failed, TimedOut, HeartbeatMissed: what else became of it; TimedOut also when it is not `alive` any more.
        """
        while not self._reported.wait(_LOOK_SECONDS):
            with self._lock:
                missed = self._missed()
                if missed is None and self.alive():
                    continue
                if not self._reported.is_set():
                    self.over = True
                    raise missed or TimedOut("the execution has ended")
        if self._failure is not None:
            raise self._failure
        return self._result

    def _awaited(self) -> bool:
        return not self.over and not self._reported.is_set() and self._missed() is None and self.alive()

    def _missed(self) -> TimedOut | None:
        if self._began is None:
            return None
        now = self.clock()
        if self.timeout_seconds is not None and now - self._began >= self.timeout_seconds:
            return TimedOut(f"{self.timeout_seconds} seconds")
        if self.heartbeat_seconds is not None and now - self._beat >= self.heartbeat_seconds:
            return HeartbeatMissed(f"{self.heartbeat_seconds} seconds")
        return None


_TOKENS: dict[str, Token] = {}
_QUEUES: dict[str, list[tuple[Token, str]]] = {}


def open_token(
    owner_arn: str, alive: Callable[[], bool], *, timeout_seconds: float | None, heartbeat_seconds: float | None
) -> Token:
    """A new token of a state machine, or of an activity."""
    token = Token(uuid.uuid4().hex, owner_arn, alive, timeout_seconds, heartbeat_seconds)
    _TOKENS[token.text] = token
    return token


def owner_of(text: str) -> str | None:
    """The ARN that a report on this token is authorised on."""
    token = _TOKENS.get(text)
    return token.owner_arn if token else None


def queue_task(activity_arn: str, token: Token, text: str) -> None:
    """Let a worker that polls the activity have the task."""
    _QUEUES.setdefault(activity_arn, []).append((token, text))


def _error(code: str, message: str) -> Any:
    return stepfunctions.error_response_json(code, message, 400)


def _on_token(data: dict[str, Any], report: Callable[[Token], bool]) -> Any:
    token = _TOKENS.get(str(data.get("taskToken")))
    if token is None:
        return _error("InvalidToken", f"Invalid Token: '{data.get('taskToken')}'")
    if not report(token):
        return _error("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    return stepfunctions.json_response({})


def _success(data: dict[str, Any]) -> Any:
    output = str(data.get("output", ""))
    if len(output.encode()) > _MAX_OUTPUT_BYTES:
        return _error("ValidationException", "output must have length less than or equal to 262144")
    try:
        result = json.loads(output)
    except ValueError as error:
        return _error("InvalidOutput", f"Invalid Output: '{error}'")
    return _on_token(data, lambda token: token.report(result))


def _failure(data: dict[str, Any]) -> Any:
    failure = Failed(str(data.get("error") or ""), str(data.get("cause") or ""))
    return _on_token(data, lambda token: token.report(failure=failure))


def _heartbeat(data: dict[str, Any]) -> Any:
    return _on_token(data, Token.beat)


async def _poll(data: dict[str, Any]) -> Any:
    arn = str(data.get("activityArn"))
    deadline = time.monotonic() + POLL_SECONDS
    while time.monotonic() < deadline:
        if arn not in stepfunctions._activities:
            return _error("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
        queue = _QUEUES.get(arn, [])
        while queue:
            token, text = queue.pop(0)
            if not token.over:
                token.begin(data.get("workerName"))
                return stepfunctions.json_response({"taskToken": token.text, "input": text})
        await asyncio.sleep(_LOOK_SECONDS)
    return stepfunctions.json_response({})


def install(settings: ServerSettings) -> None:
    """Replace the calls of workers."""
    stepfunctions._send_task_success = _success
    stepfunctions._send_task_failure = _failure
    stepfunctions._send_task_heartbeat = _heartbeat
    stepfunctions._get_activity_task = _poll
