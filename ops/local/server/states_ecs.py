"""Gap: ``ecs:runTask`` of a state machine as the optimized integration does it.

MiniStack answers with ECS's own camelCase, counts a task that failed as a success, and fails no state when RunTask has
started nothing. On AWS a request/response state gets ``Tasks`` and ``Failures`` whatever is in them; ``.sync`` and
``.waitForTaskToken`` fail with AmazonECS.Unknown when there are failures; ``.sync`` returns the one task, or fails with
States.TaskFailed and the task as the cause; and stops the task when the state ends before it (Step Functions developer
guide, "Run Amazon ECS or Fargate tasks"). With --auth the state machine's role must allow what it calls.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.iam_evaluator import EvalContext, _gather_role_policies, evaluate
from ministack.services import ecs, stepfunctions
from ministack.services.stepfunctions import _ExecutionError, _pascal_to_camel

from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings
from ops.local.server.states_tokens import TimedOut
from ops.local.server.task_lifecycle import StopCode, stop_task

__all__ = ["RUN_TASK", "SEAMS", "install", "run_task", "wait_for_task"]

SEAMS = (
    "core.iam_evaluator.EvalContext",
    "core.iam_evaluator._gather_role_policies",
    "core.iam_evaluator.evaluate",
    "services.ecs._describe_tasks",
    "services.ecs._resolve_cluster_name",
    "services.ecs._resolve_td_key",
    "services.ecs._run_task",
    "services.ecs._task_defs",
    "services.ecs._tasks",
    "services.stepfunctions._ExecutionError",
    "services.stepfunctions._pascal_to_camel",
    "services.stepfunctions._state_machines",
)

RUN_TASK = "arn:aws:states:::ecs:runTask"
_STARTED_BY = "AWS Step Functions"
_LOOK_SECONDS = 0.1
_ERRORS = {
    "ClientException": "ECS.ClientException",
    "ClusterNotFoundException": "ECS.ClusterNotFoundException",
    "InvalidParameterException": "ECS.InvalidParameterException",
    "ServerException": "ECS.ServerException",
}
_enforce = False


def run_task(parameters: Any, execution: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """Start the task.

    Args:
        parameters: of the state, in PascalCase.
        execution: whose state machine's role is used.
        strict: whether a failure to start is an error.

    Returns:
        ``Tasks`` and ``Failures``.

    Raises:
        _ExecutionError: ECS refused the call, or the role may not make it, or (`strict`) nothing was started.
    """
    request = {"startedBy": _STARTED_BY, **_pascal_to_camel(parameters)}
    _authorize(request, execution)
    status, _headers, body = ecs._run_task(request)
    answer = json.loads(body) if body else {}
    if status >= 400:
        code = str(answer.get("__type", "")).rpartition("#")[2]
        raise _ExecutionError(_ERRORS.get(code, "ECS.AmazonECSException"), _cause(answer, code))
    shown: dict[str, Any] = {
        "Failures": _pascal(answer.get("failures", [])),
        "Tasks": _pascal(answer.get("tasks", [])),
    }
    if strict and (shown["Failures"] or not shown["Tasks"]):
        raise _ExecutionError("AmazonECS.Unknown", json.dumps(shown))
    return shown


def wait_for_task(
    task_arn: str, execution: dict[str, Any], timeout_seconds: float | None, alive: Callable[[], bool]
) -> dict[str, Any]:
    """The task, once it has stopped well.

    Raises:
        _ExecutionError: States.TaskFailed, the task failed.
        TimedOut: it was stopped because the state had ended.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        task = ecs._tasks.get(task_arn)
        if task is None:
            raise _ExecutionError("States.TaskFailed", f"the task {task_arn} is gone")
        if task.get("lastStatus") == "STOPPED":
            break
        if not alive() or (deadline is not None and time.monotonic() >= deadline):
            _authorize_on(execution, "ecs:StopTask", task_arn, {})
            stop_task(task, reason="Stopped by Step Functions", stop_code=StopCode.USER_INITIATED)
            raise TimedOut(task_arn)
        time.sleep(_LOOK_SECONDS)
    _authorize_on(execution, "ecs:DescribeTasks", task_arn, {})
    request = {"cluster": task["clusterArn"], "tasks": [task_arn], "include": ["TAGS"]}
    found: dict[str, Any] = _pascal(json.loads(ecs._describe_tasks(request)[2])["tasks"][0])
    codes = [container.get("ExitCode") for container in found.get("Containers", [])]
    if any(code != 0 for code in codes):
        raise _ExecutionError("States.TaskFailed", json.dumps(found))
    return found


def _cause(answer: dict[str, Any], code: str) -> str:
    return f"{answer.get('message', answer)} (Service: AmazonECS; Status Code: 400; Error Code: {code})"


def _pascal(document: Any) -> Any:
    if isinstance(document, dict):
        return {name[:1].upper() + name[1:]: _pascal(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_pascal(value) for value in document]
    return document


def _authorize(request: dict[str, Any], execution: dict[str, Any]) -> None:
    if not _enforce:
        return
    account_id, region = current_scope()
    definition = ecs._resolve_td_key(str(request.get("taskDefinition", "")))
    cluster = ecs._resolve_cluster_name(request.get("cluster", "default"))
    _authorize_on(
        execution,
        "ecs:RunTask",
        f"arn:aws:ecs:{region}:{account_id}:task-definition/{definition}",
        {"ecs:cluster": f"arn:aws:ecs:{region}:{account_id}:cluster/{cluster}"},
    )
    record = ecs._task_defs.get(definition) or {}
    for role in ("taskRoleArn", "executionRoleArn"):
        if arn := record.get(role):
            _authorize_on(execution, "iam:PassRole", arn, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
    if request.get("tags") or request.get("propagateTags") or request.get("enableECSManagedTags"):
        task = f"arn:aws:ecs:{region}:{account_id}:task/{cluster}/new"
        _authorize_on(execution, "ecs:TagResource", task, {"ecs:CreateAction": "RunTask"})


def _authorize_on(execution: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> None:
    if not _enforce:
        return
    scope = current_scope()
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"].split("/")[0])
    role_arn = str(machine["roleArn"]) if machine else ""
    asked = EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=scope.account_id,
        action=action,
        resource_arn=resource,
        region=scope.region,
        service_context={key.lower(): value for key, value in context.items()},
    )
    if evaluate(asked, _gather_role_policies(role_arn.rpartition("/")[2], scope.account_id)).decision != "Allow":
        raise _ExecutionError(
            "ECS.AccessDeniedException",
            f"User: {role_arn} is not authorized to perform: {action} on resource: {resource}",
        )


def install(settings: ServerSettings) -> None:
    """Note whether roles are checked; the calls come from `states_tasks`."""
    global _enforce
    _enforce = settings.auth
