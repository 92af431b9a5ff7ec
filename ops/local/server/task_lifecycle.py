"""Gap: what happens to a task between RUNNING and STOPPED.

MiniStack marks a task STOPPED with exit code 0 before its process gets SIGTERM. Here a task is stopped as on AWS:
``desiredStatus`` turns STOPPED, every container gets SIGTERM, after its stop timeout SIGKILL, and the task is STOPPED
with the real exit codes when its processes have ended. Others are told of each transition (`on_transition`) and of
each end (`on_stopped`).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from ministack.core.concurrency import resource_lock
from ministack.services import ecs, ecs_metadata

from ops.local.server.background import log_once, start_thread
from ops.local.server.containers import ProcessContainer
from ops.local.server.process_tasks import registry
from ops.local.server.scopes import Scope, current_scope, in_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "StopCode", "Task", "install", "on_stopped", "on_transition", "service_key", "stop_task"]

SEAMS = (
    "services.ecs._mark_task_pending",
    "services.ecs._mark_task_running",
    "services.ecs._mark_task_stopped",
    "services.ecs._maybe_mark_stopped",
    "services.ecs._watch_task_lifecycle",
    "services.ecs._run_task_worker",
    "services.ecs._stop_task",
    "services.ecs._ACTION_MAP",
    "services.ecs._task_is_active",
    "services.ecs._bump_task_version",
    "services.ecs._cleanup_task_resources",
    "services.ecs._cluster_name_from_arn",
    "services.ecs._recount_cluster",
    "services.ecs._refresh_service_state",
    "services.ecs._resolve_cluster_name",
    "services.ecs._resolve_task",
    "services.ecs._sanitize",
    "services.ecs._iso",
    "services.ecs._schedule_service_deployment_completion",
    "services.ecs_metadata.set_task_status",
    "services.ecs_metadata.set_all_container_status",
)

Task = dict[str, Any]
"""MiniStack's record of a task."""


class StopCode(StrEnum):
    """Why a task stopped, as DescribeTasks says it."""

    TASK_FAILED_TO_START = "TaskFailedToStart"
    ESSENTIAL_CONTAINER_EXITED = "EssentialContainerExited"
    USER_INITIATED = "UserInitiated"
    SERVICE_SCHEDULER_INITIATED = "ServiceSchedulerInitiated"
    SPOT_INTERRUPTION = "SpotInterruption"


_transition_listeners: list[Callable[[Task], None]] = []
_stop_listeners: list[Callable[[Task, StopCode], None]] = []


def on_transition(listener: Callable[[Task], None]) -> None:
    """Call `listener` with a copy of the task's public record at each change of state, in the task's scope."""
    _transition_listeners.append(listener)


def on_stopped(listener: Callable[[Task, StopCode], None]) -> None:
    """Call `listener` when a task's fate is decided (its ``desiredStatus`` is STOPPED) and again when it has ended."""
    _stop_listeners.append(listener)


def service_key(task: Task) -> str | None:
    """``cluster/service`` of a service's task; None for a standalone one."""
    group: str = task.get("group") or ""
    if not group.startswith("service:"):
        return None
    return f"{ecs._cluster_name_from_arn(task['clusterArn'])}/{group.removeprefix('service:')}"


def stop_task(task: Task, *, reason: str, stop_code: StopCode, wait: bool = False) -> bool:
    """Begin to stop a task of the current scope; its end comes later, in a thread, unless `wait`.

    Returns
    -------
    bool
        False when the task was stopping or stopped already.
    """
    with resource_lock("ecs-task", task["taskArn"]):
        if not ecs._task_is_active(task["taskArn"], task):
            return False
        ecs._bump_task_version(task)
        task["desiredStatus"] = "STOPPED"
        task["stoppingAt"] = task.get("stoppingAt") or ecs._iso()
        task["stoppedReason"] = reason
        task["stopCode"] = str(stop_code)
        announcement = _public(task)
        task["lastStatus"] = "STOPPING"
    ecs_metadata.set_task_status(task["taskArn"], known_status="STOPPING", desired_status="STOPPED")
    _announce(announcement)
    _recount(task)
    _tell_stopped(task, stop_code)
    scope = current_scope()

    def finish() -> None:
        with in_scope(scope):
            _finish_stop(task, stop_code)

    if wait:
        finish()
    else:
        start_thread(finish, name=f"stop-{task['taskArn'].rsplit('/', 1)[-1][:8]}")
    return True


def _finish_stop(task: Task, stop_code: StopCode) -> None:
    task_arn: str = task["taskArn"]
    containers = registry().of_task(task_arn)
    threads = [start_thread(container.stop, name=f"stop-{container.pid}") for container in containers]
    for thread in threads:
        thread.join()
    with resource_lock("ecs-task", task_arn):
        for container in containers:
            _note_exit(task, container)
        now = ecs._iso()
        task["executionStoppedAt"] = task.get("executionStoppedAt") or now
        ecs._bump_task_version(task)
        task["lastStatus"] = "DEPROVISIONING"
        deprovisioning = _public(task)
        ecs._bump_task_version(task)
        task["lastStatus"] = "STOPPED"
        task["stoppedAt"] = now
        for record in task.get("containers", []):
            record["lastStatus"] = "STOPPED"
        stopped = _public(task)
    ecs_metadata.set_task_status(task_arn, known_status="STOPPED")
    ecs_metadata.set_all_container_status(task_arn, "STOPPED")
    _announce(deprovisioning)
    _announce(stopped)
    ecs._cleanup_task_resources(task, ecs._docker)
    _recount(task)
    _tell_stopped(task, stop_code)


def _container_ended(scope: Scope, task: Task, container: ProcessContainer) -> None:
    """An essential container takes its task with it; another one only leaves its exit code."""
    with in_scope(scope):
        with resource_lock("ecs-task", task["taskArn"]):
            index = _note_exit(task, container)
        essentials = task.get("_container_essentials") or []
        essential = index is None or index >= len(essentials) or essentials[index]
        alone = all(record.get("lastStatus") == "STOPPED" for record in task.get("containers", []))
        if essential or alone:
            stop_task(task, reason="Essential container in task exited", stop_code=StopCode.ESSENTIAL_CONTAINER_EXITED)


def _note_exit(task: Task, container: ProcessContainer) -> int | None:
    for index, record in enumerate(task.get("containers", [])):
        if record["name"] == container.name:
            record["lastStatus"] = "STOPPED"
            record["exitCode"] = container.exit_code
            return index
    return None


def _recount(task: Task) -> None:
    cluster_name = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    if cluster_name:
        ecs._recount_cluster(cluster_name)
        ecs._refresh_service_state(cluster_name, task.get("group", ""))


def _public(task: Task) -> Task:
    view: Task = copy.deepcopy(ecs._sanitize(task))
    return view


def _announce(view: Task) -> None:
    for listener in _transition_listeners:
        with log_once(f"listener {listener.__module__} of a task transition"):
            listener(view)


def _tell_stopped(task: Task, stop_code: StopCode) -> None:
    for listener in _stop_listeners:
        with log_once(f"listener {listener.__module__} of a task's end"):
            listener(task, stop_code)


def _stop_task_request(data: dict[str, Any]) -> Any:
    """StopTask, as a client calls it."""
    cluster_name = ecs._resolve_cluster_name(data.get("cluster", "default"))
    if cluster_name is None:
        return ecs.error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
    task = ecs._resolve_task(data.get("task", ""), cluster_name)
    if not task:
        return ecs.error_response_json("InvalidParameterException", "The referenced task was not found.", 400)
    stop_task(task, reason=data.get("reason") or "Task stopped by user", stop_code=StopCode.USER_INITIATED)
    return ecs.json_response({"task": _public(task)})


def _stop_by_scheduler(data: dict[str, Any]) -> None:
    """StopTask, as MiniStack's service scheduler calls it."""
    task = ecs._resolve_task(data["task"], data["cluster"])
    if task:
        stop_task(task, reason=data["reason"], stop_code=StopCode.SERVICE_SCHEDULER_INITIATED)


def _announced(mark: Callable[[str, Task], bool]) -> Callable[[str, Task], bool]:
    def marked(task_arn: str, task: Task) -> bool:
        done = mark(task_arn, task)
        if done:
            if task.get("lastStatus") == "RUNNING":
                task["_running_since"] = time.monotonic()
            _announce(_public(task))
        return done

    return marked


def _watch(task: Task, _client: Any, account_id: str, region: str) -> None:
    scope = Scope(account_id, region)
    for container in registry().of_task(task["taskArn"]):
        container.on_exit(lambda ended=container: _container_ended(scope, task, ended))  # type: ignore[misc]  # bound now
    key = service_key(task)
    if key:
        ecs._schedule_service_deployment_completion(key.split("/", 1)[0], key, account_id, region, healthy_task=task)


def install(settings: ServerSettings) -> None:
    """Give tasks their lifecycle."""
    run_worker = ecs._run_task_worker

    def announced_worker(task: Task, *arguments: Any) -> None:
        with in_scope(Scope(*arguments[-2:])):
            _announce(_public(task))  # PROVISIONING, before any later state
        run_worker(task, *arguments)

    def mark_stopped(_arn: str, task: Task, reason: str, stop_code: str, exit_code: int | None = None) -> bool:
        return stop_task(task, reason=reason, stop_code=StopCode(stop_code), wait=True)

    ecs._run_task_worker = announced_worker
    ecs._mark_task_pending = _announced(ecs._mark_task_pending)
    ecs._mark_task_running = _announced(ecs._mark_task_running)
    ecs._mark_task_stopped = mark_stopped
    ecs._maybe_mark_stopped = lambda *_arguments: None  # exits are noticed when they happen
    ecs._watch_task_lifecycle = _watch
    ecs._stop_task = _stop_by_scheduler
    ecs._ACTION_MAP["StopTask"] = _stop_task_request
