"""Gap: a Task state with heartbeats, timeouts, retries and the history that AWS writes.

MiniStack records one shape of events for every kind of task. AWS writes ActivityScheduled, ActivityStarted and so on
for activities, and TaskSubmitted between start and end of ``.sync`` and ``.waitForTaskToken``; a timeout is
TaskTimedOut or ActivityTimedOut with the error States.Timeout and no cause, also when a heartbeat was missed.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from ministack.services import stepfunctions
from ministack.services.stepfunctions import _ExecutionError

from ops.local.server import states_ecs
from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings
from ops.local.server.states_executions import alive, pause, walking
from ops.local.server.states_retries import HEARTBEAT_TIMEOUT, TIMEOUT, Retries, catcher_of
from ops.local.server.states_tokens import Failed, HeartbeatMissed, TimedOut, Token, open_token, queue_task

__all__ = ["SEAMS", "install"]

SEAMS = (
    "services.stepfunctions._ExecutionError",
    "services.stepfunctions._activities",
    "services.stepfunctions._add_event",
    "services.stepfunctions._apply_catcher",
    "services.stepfunctions._apply_input_path",
    "services.stepfunctions._apply_jsonata_arguments",
    "services.stepfunctions._apply_jsonata_output",
    "services.stepfunctions._apply_output_path",
    "services.stepfunctions._apply_parameters",
    "services.stepfunctions._apply_result_path",
    "services.stepfunctions._apply_result_selector",
    "services.stepfunctions._apply_state_assign",
    "services.stepfunctions._execute_task",
    "services.stepfunctions._invoke_resource",
    "services.stepfunctions._next_or_end",
    "services.stepfunctions._resolve_path_or_ctx",
    "services.stepfunctions._run_sub_machine",
    "services.stepfunctions._scaled_sleep",
    "services.stepfunctions._state_query_language",
)

_WAIT = ".waitForTaskToken"
_SYNC = ".sync"


def _seconds(state: Mapping[str, Any], name: str, data: Any, context: Any) -> float | None:
    if path := state.get(f"{name}Path"):
        return float(stepfunctions._resolve_path_or_ctx(path, data, context))
    return float(state[name]) if name in state else None


class _Attempt:
    """One attempt of one task."""

    def __init__(self, state: Mapping[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]) -> None:
        self.state = state
        self.data = data
        self.execution = execution
        self.context = context
        self.resource = str(state.get("Resource", ""))
        self.timeout = _seconds(state, "TimeoutSeconds", data, context)
        self.heartbeat = _seconds(state, "HeartbeatSeconds", data, context)
        self.is_activity = ":activity:" in self.resource

    def run(self) -> Any:
        """The task's result.

        Raises:
            _ExecutionError: with the name by which the state's retriers know it.
        """
        if self.is_activity:
            return self._activity()
        if not self.resource.startswith("arn:aws:states:::"):
            return self._call(lambda parameters: stepfunctions._invoke_resource(self.resource, parameters))
        if self.resource.endswith(_WAIT):
            return self._callback()
        if self.resource.startswith(states_ecs.RUN_TASK):
            return self._call(self._run_task)
        return self._call(lambda parameters: stepfunctions._invoke_resource(self.resource, parameters))

    # -- activities ----------------------------------------------------------------------------------------------

    def _activity(self) -> Any:
        if self.resource not in stepfunctions._activities:
            raise _ExecutionError("States.Runtime", f"The activity {self.resource} does not exist.")
        text = json.dumps(self._parameters())
        self._event("ActivityScheduled", resource=self.resource, input=text, **self._limits())
        token = self._token(self.resource)
        queue_task(self.resource, token, text)
        while not token.taken.wait(0.05):
            if not token.alive():
                token.over = True
                raise _ExecutionError(TIMEOUT, None)
        self._event("ActivityStarted", **({"workerName": token.worker_name} if token.worker_name else {}))
        result = self._wait(token, "Activity", {})
        self._event("ActivitySucceeded", output=json.dumps(result))
        return result

    # -- integrations --------------------------------------------------------------------------------------------

    def _callback(self) -> Any:
        owner = self.execution["stateMachineArn"].split("/")[0]
        token = self._token(owner)
        self.context["Task"] = {"Token": token.text}
        where = self._started(self._parameters())
        token.begin()
        try:
            if self.resource.startswith(states_ecs.RUN_TASK):
                answer = states_ecs.run_task(self._parameters(), self.execution, strict=True)
            else:
                answer = stepfunctions._invoke_resource(self.resource.removesuffix(_WAIT), self._parameters())
        except _ExecutionError as error:
            token.over = True
            self._event("TaskSubmitFailed", error=error.error, cause=error.cause, **where)
            raise
        self._event("TaskSubmitted", output=json.dumps(answer), **where)
        result = self._wait(token, "Task", where)
        self._event("TaskSucceeded", output=json.dumps(result), **where)
        return result

    def _run_task(self, parameters: Any) -> Any:
        if not self.resource.endswith(_SYNC):
            return states_ecs.run_task(parameters, self.execution, strict=False)
        answer = states_ecs.run_task(parameters, self.execution, strict=True)
        self._event("TaskSubmitted", output=json.dumps(answer), **self._where())
        return states_ecs.wait_for_task(
            answer["Tasks"][0]["TaskArn"], self.execution, self.timeout, lambda: alive(self.execution)
        )

    def _call(self, call: Callable[[Any], Any]) -> Any:
        parameters = self._parameters()
        where = self._started(parameters)
        # A thread: a call that takes longer than the timeout goes on, and its result is ignored.
        pool = ThreadPoolExecutor(max_workers=1)
        future = pool.submit(contextvars.copy_context().run, call, parameters)
        pool.shutdown(wait=False)
        try:
            result = future.result(timeout=self.timeout)
        except (FutureTimeoutError, TimedOut):
            self._event("TaskTimedOut", error=TIMEOUT, **where)
            raise _ExecutionError(TIMEOUT, None) from None
        except _ExecutionError as error:
            self._event("TaskFailed", error=error.error, cause=error.cause, **where)
            raise
        self._event("TaskSucceeded", output=json.dumps(result), **where)
        return result

    # -- what they share -----------------------------------------------------------------------------------------

    def _parameters(self) -> Any:
        if stepfunctions._state_query_language(self.state, self.context) == "JSONata":
            return stepfunctions._apply_jsonata_arguments(self.state, self.data, self.context)
        chosen = stepfunctions._apply_input_path(self.state, self.data, self.context)
        return stepfunctions._apply_parameters(self.state, chosen, self.context)

    def _token(self, owner_arn: str) -> Token:
        return open_token(
            owner_arn,
            lambda: alive(self.execution),
            timeout_seconds=self.timeout,
            heartbeat_seconds=self.heartbeat,
        )

    def _wait(self, token: Token, kind: str, where: dict[str, str]) -> Any:
        try:
            return token.wait()
        except Failed as failure:
            self._event(f"{kind}Failed", error=failure.error, cause=failure.cause, **where)
            raise _ExecutionError(failure.error, failure.cause) from None
        except TimedOut as timed_out:
            self._event(f"{kind}TimedOut", error=TIMEOUT, **where)
            missed = isinstance(timed_out, HeartbeatMissed)
            raise _ExecutionError(HEARTBEAT_TIMEOUT if missed else TIMEOUT, None) from None

    def _started(self, parameters: Any) -> dict[str, str]:
        where = self._where()
        region = current_scope().region
        self._event("TaskScheduled", region=region, parameters=json.dumps(parameters), **self._limits(), **where)
        self._event("TaskStarted", **where)
        return where

    def _where(self) -> dict[str, str]:
        kind, _, operation = self.resource.removeprefix("arn:aws:states:::").rpartition(":")
        if not kind or self.resource.startswith("arn:aws:lambda:"):
            return {"resourceType": "lambda", "resource": self.resource}
        return {"resourceType": kind, "resource": operation}

    def _limits(self) -> dict[str, int]:
        limits = {"timeoutInSeconds": self.timeout, "heartbeatInSeconds": self.heartbeat}
        return {name: int(value) for name, value in limits.items() if value is not None}

    def _event(self, kind: str, **details: Any) -> None:
        if alive(self.execution):
            name = kind[0].lower() + kind[1:] + "EventDetails"
            stepfunctions._add_event(self.execution, kind, {name: details})


def _finished(state: dict[str, Any], data: Any, context: dict[str, Any], result: Any) -> tuple[Any, str | None]:
    if stepfunctions._state_query_language(state, context) == "JSONata":
        output = stepfunctions._apply_jsonata_output(state, data, context, result=result, default=result)
        stepfunctions._apply_state_assign(state, data, context, result=result)
    else:
        output = stepfunctions._apply_result_path(state, data, stepfunctions._apply_result_selector(state, result))
        output = stepfunctions._apply_output_path(state, output, context)
    return output, stepfunctions._next_or_end(state)


def _execute_task(
    state: dict[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]
) -> tuple[Any, str | None]:
    retries = Retries(state)
    # Branches that run side by side share the context; the token and the count are this task's own.
    context = {**context, "State": dict(context["State"])}
    while True:
        context["State"]["RetryCount"] = retries.count
        try:
            return _finished(state, data, context, _Attempt(state, data, execution, context).run())
        except _ExecutionError as error:
            if not alive(execution):
                raise
            delay = retries.delay_seconds(error.error)
            if delay is not None:
                pause(delay, execution)
                continue
            catcher = catcher_of(state, error.error)
            name = TIMEOUT if error.error == HEARTBEAT_TIMEOUT else error.error
            if catcher is None:
                raise _ExecutionError(name, error.cause) from None
            language = stepfunctions._state_query_language(state, context)
            shown = {"Error": name, "Cause": error.cause or ""}
            return stepfunctions._apply_catcher(catcher, data, context, language, shown), catcher["Next"]


def install(settings: ServerSettings) -> None:
    """Replace the Task state, and give each branch a context of its own."""
    run_branch = stepfunctions._run_sub_machine

    def branch(states: Any, start: str, data: Any, execution: Any, context: dict[str, Any]) -> Any:
        with walking(execution):
            return run_branch(states, start, data, execution, dict(context))

    stepfunctions._run_sub_machine = branch
    stepfunctions._execute_task = _execute_task
