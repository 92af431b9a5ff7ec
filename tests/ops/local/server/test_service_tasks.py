"""The service scheduler: replacement, back-off, circuit breaker, rolling deployments."""

from __future__ import annotations

import os
from typing import Any

from tests.ops.local.server.helpers import Fargate, wait_until

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
RUN = ["exec sleep 600"]


def _primary(service: dict[str, Any]) -> dict[str, Any]:
    return next(deployment for deployment in service["deployments"] if deployment["status"] == "PRIMARY")


def _ids(tasks: list[dict[str, Any]]) -> set[str]:
    return {task["taskArn"] for task in tasks}


def _stopped(fargate: Fargate, name: str) -> list[dict[str, Any]]:
    arns = fargate.ecs.list_tasks(cluster=fargate.cluster, serviceName=name, desiredStatus="STOPPED")["taskArns"]
    return list(fargate.ecs.describe_tasks(cluster=fargate.cluster, tasks=arns)["tasks"]) if arns else []


def test_a_service_scales_out_in_and_to_zero(fargate: Fargate) -> None:
    fargate.create_service("s", fargate.define("s", RUN), 2)
    fargate.wait_for_running("s", 2)
    for count in (4, 1, 0):
        fargate.ecs.update_service(cluster=fargate.cluster, service="s", desiredCount=count)
        fargate.wait_for_running("s", count)
    reasons = {(task["stopCode"], task["stoppedReason"][:30]) for task in _stopped(fargate, "s")}
    assert {code for code, _ in reasons} == {"ServiceSchedulerInitiated"}
    assert "Scaling activity initiated by " in {reason for _, reason in reasons}


def test_a_stopped_task_is_replaced(fargate: Fargate) -> None:
    fargate.create_service("s", fargate.define("s", RUN), 1)
    (first,) = fargate.wait_for_running("s", 1)
    fargate.ecs.stop_task(cluster=fargate.cluster, task=first["taskArn"])
    fargate.wait_for(first["taskArn"], "STOPPED")
    (second,) = fargate.wait_for_running("s", 1)
    assert second["taskArn"] != first["taskArn"]


def test_a_killed_task_is_replaced_at_once_every_time(fargate: Fargate) -> None:
    fargate.create_service("s", fargate.define("s", ["echo $$; exec sleep 600"]), 1)
    seen: set[str] = set()
    for _ in range(4):
        (task,) = wait_until(
            lambda: [t for t in fargate.wait_for_running("s", 1) if t["taskArn"] not in seen], "a new task runs"
        )
        seen.add(task["taskArn"])
        os.kill(int(wait_until(lambda arn=task["taskArn"]: fargate.log(arn), "its pid")), 9)  # type: ignore[misc]
    assert len(seen) == 4


def test_a_crash_loop_backs_off(fargate: Fargate) -> None:
    fargate.create_service("s", fargate.define("s", ["exit 1"]), 1)
    # The pause after the tenth failure is 256 emulated seconds, over two real seconds here; ECS tells whole ones.
    wait_until(lambda: len(_stopped(fargate, "s")) >= 11, "eleven attempts")
    tenth, eleventh = _stopped(fargate, "s")[9:11]
    assert (eleventh["createdAt"] - tenth["stoppedAt"]).total_seconds() >= 2
    assert _primary(fargate.service("s"))["rolloutState"] == "IN_PROGRESS", "no task has been steady"


def test_the_breaker_fails_a_first_deployment(fargate: Fargate) -> None:
    fargate.create_service("s", fargate.define("s", ["exit 1"]), 1, deploymentConfiguration=BREAKER)
    wait_until(lambda: _primary(fargate.service("s"))["rolloutState"] == "FAILED", "the deployment has failed")
    deployment = _primary(fargate.service("s"))
    assert deployment["failedTasks"] == 3
    assert "circuit breaker" in deployment["rolloutStateReason"]
    assert len(_stopped(fargate, "s")) == 3


def test_a_rolling_deployment_replaces_the_tasks_and_keeps_the_count(fargate: Fargate) -> None:
    fargate.create_service("s", fargate.define("s", RUN), 1)
    fargate.ecs.update_service(cluster=fargate.cluster, service="s", desiredCount=2)
    old = _ids(fargate.wait_for_running("s", 2))
    second = fargate.define("s", ["exec sleep 601"])
    updated = fargate.ecs.update_service(cluster=fargate.cluster, service="s", taskDefinition=second)["service"]
    assert len(updated["deployments"]) == 2
    wait_until(lambda: len(fargate.service("s")["deployments"]) == 1, "the old deployment is gone")
    new = fargate.wait_for_running("s", 2)
    assert {task["taskDefinitionArn"] for task in new} == {second}
    assert not _ids(new) & old
    assert fargate.service("s")["desiredCount"] == 2


def test_a_deployment_that_crashes_rolls_back(fargate: Fargate) -> None:
    good = fargate.define("s", RUN)
    fargate.create_service("s", good, 1, deploymentConfiguration=BREAKER)
    wait_until(lambda: _primary(fargate.service("s"))["rolloutState"] == "COMPLETED", "the first deployment is steady")
    old = _ids(fargate.wait_for_running("s", 1))
    fargate.ecs.update_service(cluster=fargate.cluster, service="s", taskDefinition=fargate.define("s", ["exit 1"]))
    wait_until(lambda: fargate.service("s")["taskDefinition"] == good, "it has rolled back")
    assert _ids(fargate.wait_for_running("s", 1)) == old
    failed = [d for d in fargate.service("s")["deployments"] if d["rolloutState"] == "FAILED"]
    assert [deployment["failedTasks"] for deployment in failed] == [3]
