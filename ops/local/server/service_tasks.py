"""Gap: the service scheduler.

What MiniStack's lacks: a stopped task of a service is replaced; a service whose tasks crash at start backs off instead
of restarting as fast as it can; the first deployment is a deployment too, so that the circuit breaker watches it;
scale-in passes over protected tasks; and two reconciliations of one service do not run at the same time.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any

from ministack.services import ecs

from ops.local.server import task_lifecycle, task_protection
from ops.local.server.background import log_once
from ops.local.server.restart_backoff import RestartBackoff, counts_as_crash
from ops.local.server.scopes import Scope, current_scope, in_scope
from ops.local.server.settings import ServerSettings
from ops.local.server.task_lifecycle import StopCode, Task, service_key, stop_task

__all__ = ["SEAMS", "install", "reconcile_service"]

SEAMS = (
    "services.ecs._reconcile_service_tasks",
    "services.ecs._record_service_task_failure",
    "services.ecs._make_deployment",
    "services.ecs._run_task",
    "services.ecs._stop_task",
    "services.ecs._services",
    "services.ecs._tasks",
    "services.ecs._primary_deployment",
    "services.ecs._deployment_for_task",
    "services.ecs._PRE_STOP_STATUSES",
    "services.ecs._ECS_DEPLOYMENT_STEADY_DELAY",
)

STEADY_SECONDS = 2.0
"""How long (real time) a task must run before it counts for its deployment. A process that fails while it imports
its code needs most of a second to do so."""

Service = dict[str, Any]

_FAILURES = (StopCode.ESSENTIAL_CONTAINER_EXITED, StopCode.TASK_FAILED_TO_START)

_locks: dict[tuple[Scope, str], threading.RLock] = defaultdict(threading.RLock)
_backoffs: dict[tuple[Scope, str], RestartBackoff] = {}


def reconcile_service(key: str) -> None:
    """Bring the tasks of the service ``cluster/service`` of the current scope to its desired count."""
    ecs._reconcile_service_tasks(key.split("/", 1)[0], key)


def _tasks_of(service: Service) -> list[Task]:
    group = f"service:{service['serviceName']}"
    return [
        task
        for task in ecs._tasks.values()
        if task.get("group") == group
        and task.get("clusterArn") == service.get("clusterArn")
        and task.get("lastStatus") in ecs._PRE_STOP_STATUSES
    ]


def _scale_in(service: Service) -> None:
    """Stop the newest unprotected tasks of the primary deployment that are too many."""
    primary = ecs._primary_deployment(service)
    current = [
        task for task in _tasks_of(service) if primary is None or ecs._deployment_for_task(service, task) is primary
    ]
    excess = len(current) - int(service.get("desiredCount", 0))
    stoppable = [task for task in current if not task_protection.is_protected(task["taskArn"])]
    stoppable.sort(key=lambda task: str(task["createdAt"]), reverse=True)
    for task in stoppable[: max(0, excess)]:
        deployment_id = (primary or {}).get("id", "")
        stop_task(
            task,
            reason=f"Scaling activity initiated by (deployment {deployment_id})",
            stop_code=StopCode.SERVICE_SCHEDULER_INITIATED,
        )


def _about_to_fail(deployment_id: str | None) -> bool:
    """Whether a task of the deployment has failed and is not counted yet: its count says when the next one starts."""
    return deployment_id is not None and any(
        task.get("_deployment_id") == deployment_id
        and task.get("stopCode") in _FAILURES
        and not task.get("_failure_counted")
        for task in ecs._tasks.values()
    )


class _Scheduler:
    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._reconcile = ecs._reconcile_service_tasks
        self._run_task = ecs._run_task
        self._record_failure = ecs._record_service_task_failure
        self._make_deployment = ecs._make_deployment
        self._stop_task = ecs._stop_task

    def reconcile(self, cluster_name: str, key: str) -> None:
        with _locks[current_scope(), key]:
            service = ecs._services.get(key)
            if service and service.get("status") == "ACTIVE":
                _scale_in(service)
            self._reconcile(cluster_name, key)

    def stop(self, data: dict[str, Any]) -> None:
        """Stop a task for MiniStack's scheduler, unless it is protected; a deleted service protects nothing."""
        if data["reason"] != "Service deleted" and task_protection.is_protected(data["task"]):
            return
        self._stop_task(data)

    def run(self, data: dict[str, Any]) -> Any:
        """RunTask; for a service in a crash loop the start is put off."""
        group: str = data.get("group") or ""
        if group.startswith("service:"):
            if _about_to_fail(data.get("_deploymentId")):
                return ecs.json_response({"tasks": [], "failures": []})
            key = f"{data['cluster']}/{group.removeprefix('service:')}"
            backoff = _backoffs.get((current_scope(), key))
            if backoff and backoff.deployment_id == data.get("_deploymentId"):
                wait = backoff.wait_seconds(time.monotonic())
                if wait > 0:
                    self._reconcile_later(key, wait)
                    return ecs.json_response({"tasks": [], "failures": []})
        return self._run_task(data)

    def make_deployment(self, task_definition: str, desired_count: int, status: str = "PRIMARY") -> dict[str, Any]:
        """A deployment is in progress until its tasks are steady, also a service's first one."""
        deployment: dict[str, Any] = self._make_deployment(task_definition, desired_count, status)
        if desired_count > 0:
            deployment["rolloutState"] = "IN_PROGRESS"
            deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} in progress."
        return deployment

    def task_stopped(self, task: Task, stop_code: StopCode) -> None:
        """Replace a service's task: at once when it was told to stop, after a pause when it keeps crashing."""
        key = service_key(task)
        if key is None:
            return
        ended = task["lastStatus"] == "STOPPED"
        if stop_code in _FAILURES:
            if ended:
                self._count_failure(key, task)
                self._record_failure(task)
        elif stop_code != StopCode.SERVICE_SCHEDULER_INITIATED or ended:
            reconcile_service(key)

    def _count_failure(self, key: str, task: Task) -> None:
        deployment_id: str = task.get("_deployment_id") or ""
        since = task.get("_running_since")
        uptime = None if since is None else time.monotonic() - since
        exit_codes = [container.get("exitCode") for container in task.get("containers", [])]
        backoff = _backoffs.get((current_scope(), key))
        if backoff is None or backoff.deployment_id != deployment_id:
            backoff = _backoffs[current_scope(), key] = RestartBackoff(deployment_id)
        if counts_as_crash(uptime, exit_codes):
            backoff.failed(time.monotonic(), speedup=self._settings.speedup)
        else:
            backoff.recovered()
        task["_failure_counted"] = True

    def _reconcile_later(self, key: str, seconds: float) -> None:
        scope = current_scope()

        def later() -> None:
            with in_scope(scope), log_once(f"restart of {key}"):
                reconcile_service(key)

        timer = threading.Timer(seconds, later)
        timer.daemon = True
        timer.start()


def install(settings: ServerSettings) -> None:
    """Replace the parts of MiniStack's service scheduler."""
    scheduler = _Scheduler(settings)
    ecs._reconcile_service_tasks = scheduler.reconcile
    ecs._run_task = scheduler.run
    ecs._stop_task = scheduler.stop
    ecs._make_deployment = scheduler.make_deployment
    ecs._ECS_DEPLOYMENT_STEADY_DELAY = STEADY_SECONDS
    task_lifecycle.on_stopped(scheduler.task_stopped)
    task_protection.on_unprotected(reconcile_service)
