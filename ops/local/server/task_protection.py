"""Gap: scale-in protection of tasks.

UpdateTaskProtection and GetTaskProtection, and the same from inside a task:
``$ECS_AGENT_URI/task-protection/v1/state`` (GET and PUT), in the shapes of the ECS developer guide, "Amazon ECS task
scale-in protection endpoint".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.core.iam_evaluator import EvalContext, _gather_role_policies, evaluate
from ministack.services import ecs, ecs_metadata

from ops.local.server import task_lifecycle
from ops.local.server.background import repeat
from ops.local.server.local_routes import Answer, Request, routes
from ops.local.server.protection_store import ProtectionStore
from ops.local.server.scopes import Scope, in_scope
from ops.local.server.settings import ServerSettings
from ops.local.server.task_lifecycle import StopCode, Task, service_key

__all__ = ["SEAMS", "install", "is_protected", "on_unprotected"]

SEAMS = (
    "services.ecs._ACTION_MAP",
    "services.ecs._resolve_cluster_name",
    "services.ecs._resolve_task",
    "services.ecs._tasks",
    "services.ecs_metadata._TOKEN_TO_TASK",
    "core.iam_evaluator._gather_role_policies",
    "core.iam_evaluator.evaluate",
    "core.iam_evaluator.EvalContext",
)

_EXPIRY_CHECK_SECONDS = 1.0
_MAX_TASKS = 10

_store = ProtectionStore()
_listeners: list[Callable[[str], None]] = []


def is_protected(task_arn: str) -> bool:
    """Whether scale-in and deployments must pass over this task."""
    return _store.expiry(task_arn) is not None


def on_unprotected(listener: Callable[[str], None]) -> None:
    """Call `listener` with ``cluster/service``, in its scope, when one of its tasks has lost its protection."""
    _listeners.append(listener)


def _scope_of(task_arn: str) -> Scope:
    _, _, _, region, account_id, _ = task_arn.split(":", 5)
    return Scope(account_id, region)


def _state(task_arn: str) -> dict[str, Any]:
    expires_at = _store.expiry(task_arn)
    state: dict[str, Any] = {"taskArn": task_arn, "protectionEnabled": expires_at is not None}
    return state if expires_at is None else state | {"expirationDate": expires_at}


def _change(task: Task, enabled: bool, minutes: int | None) -> None:
    """Protect or release a task of the current scope; raises `ValueError` for a wrong duration."""
    if enabled:
        _store.protect(task["taskArn"], minutes)
    elif _store.release(task["taskArn"]):
        _tell_unprotected(task)


def _tell_unprotected(task: Task) -> None:
    key = service_key(task)
    if key:
        for listener in _listeners:
            listener(key)


def _can_be_protected(task: Task) -> bool:
    return service_key(task) is not None and task.get("lastStatus") != "STOPPED" and task["desiredStatus"] != "STOPPED"


def _request(data: dict[str, Any], *, change: bool) -> Any:
    cluster_name = ecs._resolve_cluster_name(data.get("cluster", "default"))
    if cluster_name is None or cluster_name not in ecs._clusters:
        return ecs.error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
    references = data.get("tasks") or []
    if change and not 1 <= len(references) <= _MAX_TASKS:
        return _invalid(f"tasks has {len(references)} entries; allowed: 1 to {_MAX_TASKS}")
    states, failures = [], []
    for reference in references:
        task = ecs._resolve_task(reference, cluster_name)
        if not task:
            failures.append({"arn": reference, "reason": "MISSING"})
        elif not _can_be_protected(task):
            failures.append({"arn": task["taskArn"], "reason": "TASK_NOT_VALID"})
        else:
            if change:
                try:
                    _change(task, bool(data.get("protectionEnabled")), data.get("expiresInMinutes"))
                except ValueError as error:
                    return _invalid(str(error))
            states.append(_state(task["taskArn"]))
    return ecs.json_response({"protectedTasks": states, "failures": failures})


def _invalid(message: str) -> Any:
    return ecs.error_response_json("InvalidParameterException", message, 400)


class _Agent:
    """The container agent's endpoint for the task that a metadata token belongs to."""

    def __init__(self, *, enforce: bool) -> None:
        self._enforce = enforce

    def serve(self, request: Request) -> Answer:
        token, _, resource = request.path.partition("/")
        task_arn = ecs_metadata._TOKEN_TO_TASK.get(token)
        if task_arn is None or resource != "task-protection/v1/state":
            return Answer({"message": f"the agent has no {resource!r} for this token"}, 404)
        if request.method not in ("GET", "PUT"):
            return Answer({"message": f"{request.method} is not supported; allowed: GET, PUT"}, 405)
        scope = _scope_of(task_arn)
        with in_scope(scope):
            task: Task = ecs._tasks[task_arn]
            action = "ecs:GetTaskProtection" if request.method == "GET" else "ecs:UpdateTaskProtection"
            refusal = self._refusal(task, action, scope)
            if refusal:
                return _error(task_arn, "AccessDeniedException", refusal)
            if not _can_be_protected(task):
                return Answer({"failure": {"Arn": task_arn, "Detail": None, "Reason": "TASK_NOT_VALID"}})
            if request.method == "PUT":
                try:
                    wanted = request.json()
                    if not isinstance(wanted.get("ProtectionEnabled"), bool):
                        raise ValueError("ProtectionEnabled is missing; allowed: true or false")
                    _change(task, wanted["ProtectionEnabled"], wanted.get("ExpiresInMinutes"))
                except ValueError as error:
                    return _error(task_arn, "InvalidParameterException", str(error))
        expires_at = _store.expiry(task_arn)
        until = None
        if expires_at is not None:
            until = datetime.fromtimestamp(expires_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        state = {"ExpirationDate": until, "ProtectionEnabled": expires_at is not None, "TaskArn": task_arn}
        return Answer({"protection": state})

    def _refusal(self, task: Task, action: str, scope: Scope) -> str | None:
        """Why the task's role may not do this; None when it may."""
        if not self._enforce:
            return None
        definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
        role_arn: str | None = task.get("overrides", {}).get("taskRoleArn") or definition.get("taskRoleArn")
        if role_arn:
            name = role_arn.rsplit("/", 1)[-1]
            session = task["taskArn"].rsplit("/", 1)[-1]
            context = EvalContext(
                principal_arn=f"arn:aws:sts::{scope.account_id}:assumed-role/{name}/{session}",
                principal_type="AssumedRole",
                principal_account=scope.account_id,
                action=action,
                resource_arn=task["taskArn"],
                region=scope.region,
                service_context={"ecs:cluster": task["clusterArn"]},
            )
            if evaluate(context, _gather_role_policies(name, scope.account_id)).decision == "Allow":
                return None
        return f"{role_arn or 'a task without a task role'} is not authorized to perform {action} on {task['taskArn']}"


def _error(task_arn: str, code: str, message: str) -> Answer:
    return Answer({"error": {"Arn": task_arn, "Code": code, "Message": message}}, 400)


def _check_expiry(_boundary: float) -> None:
    for task_arn in _store.take_expired():
        scope = _scope_of(task_arn)
        with in_scope(scope):
            task = ecs._tasks.get(task_arn)
            if task:
                _tell_unprotected(task)


def _forget(task: Task, _stop_code: StopCode) -> None:
    if task["lastStatus"] == "STOPPED":
        _store.release(task["taskArn"])


def install(settings: ServerSettings) -> None:
    """Serve task protection."""
    ecs._ACTION_MAP["UpdateTaskProtection"] = lambda data: _request(data, change=True)
    ecs._ACTION_MAP["GetTaskProtection"] = lambda data: _request(data, change=False)
    routes.add("ecs-agent", _Agent(enforce=settings.auth).serve)
    task_lifecycle.on_stopped(_forget)
    repeat(_check_expiry, every_seconds=_EXPIRY_CHECK_SECONDS, name="task-protection-expiry")
