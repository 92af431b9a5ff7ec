"""Gap: executions that time out, and that nothing overwrites once they have ended.

MiniStack ignores TimeoutSeconds of a state machine, and gives a failed execution an output. A task that was running
when its execution was stopped would turn it from ABORTED to FAILED; a Wait would go on to its end. And a state machine
that is not there has no executions, instead of being an error.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ministack.services import stepfunctions
from ministack.services.stepfunctions import _ExecutionError

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "alive", "install", "pause", "walking"]

SEAMS = (
    "services.stepfunctions._ExecutionError",
    "services.stepfunctions._SFN_WAIT_SCALE",
    "services.stepfunctions._add_event",
    "services.stepfunctions._emit_execution_status_event",
    "services.stepfunctions._executions",
    "services.stepfunctions._fail_execution",
    "services.stepfunctions._list_executions",
    "services.stepfunctions._map_runs",
    "services.stepfunctions._resolve_state_machine_arn",
    "services.stepfunctions._run_execution",
    "services.stepfunctions._scaled_sleep",
    "services.stepfunctions._state_machines",
    "services.stepfunctions.error_response_json",
    "services.stepfunctions.now_iso",
)


_LOOK_SECONDS = 0.2

_ending = threading.Lock()
_walked: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("walked execution", default=None)


def alive(execution: dict[str, Any]) -> bool:
    """Whether the execution, and the one whose map has started it, is still running."""
    if execution["status"] != "RUNNING":
        return False
    run = stepfunctions._map_runs.get(execution.get("mapRunArn"))
    parent = stepfunctions._executions.get(run["executionArn"]) if run else None
    return parent is None or parent["status"] == "RUNNING"


def pause(seconds: float, execution: dict[str, Any]) -> None:
    """Sleep so long, or until the execution has ended."""
    end = time.monotonic() + seconds
    while alive(execution) and (left := end - time.monotonic()) > 0:
        time.sleep(min(_LOOK_SECONDS, left))


@contextmanager
def walking(execution: dict[str, Any]) -> Iterator[None]:
    """Say whose states this thread walks through: a Wait is not told."""
    token = _walked.set(execution)
    try:
        yield
    finally:
        _walked.reset(token)


def _wait(seconds: float) -> None:
    execution = _walked.get()
    scaled = seconds * stepfunctions._SFN_WAIT_SCALE
    if execution is None:  # TestState
        time.sleep(scaled)
        return
    pause(scaled, execution)
    if not alive(execution):
        raise _ExecutionError("States.Timeout", None)


def _end(execution: dict[str, Any], status: str, event: str, details: dict[str, Any], **more: Any) -> None:
    """End an execution that runs. Who sees the status sees the rest, too."""
    with _ending:
        if execution["status"] != "RUNNING":
            return
        execution.update(more, stopDate=stepfunctions.now_iso())
        stepfunctions._add_event(execution, event, details)
        execution["status"] = status
    stepfunctions._emit_execution_status_event(execution)


def _time_out(execution: dict[str, Any]) -> None:
    _end(execution, "TIMED_OUT", "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})


def _fail(execution: dict[str, Any], error: str, cause: str | None) -> None:
    details = {"executionFailedEventDetails": {"error": error, "cause": cause}}
    _end(execution, "FAILED", "ExecutionFailed", details, error=error, cause=cause)


def _limit_seconds(execution: dict[str, Any]) -> float | None:
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
    try:
        seconds = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
    except (ValueError, AttributeError):
        return None
    return None if seconds is None else float(seconds)


def install(settings: ServerSettings) -> None:
    """Watch each execution while it runs."""
    run, add = stepfunctions._run_execution, stepfunctions._add_event

    def run_in_time(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return
        with walking(execution):
            seconds = _limit_seconds(execution)
            if seconds is None:
                run(arn)
                return
            timer = threading.Timer(seconds, contextvars.copy_context().run, (_time_out, execution))
            timer.daemon = True
            timer.start()
            try:
                run(arn)
            finally:
                timer.cancel()

    def add_linked(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        event = add(execution, kind, details)
        # Exact for a sequence; events of parallel branches have the one before them in the list.
        event["previousEventId"] = event["id"] - 1
        return event

    list_executions = stepfunctions._list_executions

    def list_of_known(data: dict[str, Any]) -> Any:
        arn = data.get("stateMachineArn")
        if arn and stepfunctions._resolve_state_machine_arn(arn) is None:
            message = f"State Machine Does Not Exist: '{arn}'"
            return stepfunctions.error_response_json("StateMachineDoesNotExist", message, 400)
        return list_executions(data)

    stepfunctions._list_executions = list_of_known
    stepfunctions._fail_execution = _fail
    stepfunctions._run_execution = run_in_time
    stepfunctions._scaled_sleep = _wait
    stepfunctions._add_event = add_linked
