"""Scale-in protection of tasks."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.server.protection_store import ProtectionStore
from tests.ops.local.server.helpers import Fargate, wait_until

SHOW = 'echo "$ECS_AGENT_URI"; exec sleep 600'


def _protect(fargate: Fargate, *arns: str, enabled: bool = True, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = fargate.ecs.update_task_protection(
        cluster=fargate.cluster, tasks=list(arns), protectionEnabled=enabled, **request
    )
    return answer


def _scale(fargate: Fargate, count: int) -> None:
    fargate.ecs.update_service(cluster=fargate.cluster, service="s", desiredCount=count)


def _service(fargate: Fargate, count: int) -> list[str]:
    fargate.create_service("s", fargate.define("s", [SHOW]), count)
    return [task["taskArn"] for task in fargate.wait_for_running("s", count)]


def test_scale_in_passes_over_protected_tasks_until_they_are_released(fargate: Fargate) -> None:
    arns = _service(fargate, 3)
    newest = max(arns, key=lambda arn: fargate.task(arn)["createdAt"])
    answer = _protect(fargate, newest)
    assert answer["protectedTasks"][0]["protectionEnabled"] is True
    _scale(fargate, 1)
    assert [task["taskArn"] for task in fargate.wait_for_running("s", 1)] == [newest]
    _scale(fargate, 0)
    assert fargate.service("s")["desiredCount"] == 0
    assert [task["taskArn"] for task in fargate.wait_for_running("s", 1)] == [newest]
    assert fargate.task(newest)["desiredStatus"] == "RUNNING"
    _protect(fargate, newest, enabled=False)
    fargate.wait_for_running("s", 0)


def test_running_exceeds_desired_while_all_are_protected(fargate: Fargate) -> None:
    arns = _service(fargate, 2)
    _protect(fargate, *arns)
    _scale(fargate, 1)
    service = fargate.service("s")
    assert (service["desiredCount"], service["runningCount"]) == (1, 2)
    _protect(fargate, arns[0], enabled=False)
    assert [task["taskArn"] for task in fargate.wait_for_running("s", 1)] == [arns[1]]


def test_a_deployment_leaves_protected_tasks_alone(fargate: Fargate) -> None:
    (old,) = _service(fargate, 1)
    _protect(fargate, old)
    fargate.ecs.update_service(cluster=fargate.cluster, service="s", taskDefinition=fargate.define("s", [SHOW]))

    def completed() -> bool:
        primary = next(d for d in fargate.service("s")["deployments"] if d["status"] == "PRIMARY")
        return bool(primary["rolloutState"] == "COMPLETED" and primary["runningCount"] == 1)

    wait_until(completed, "the new deployment is steady")
    assert fargate.task(old)["lastStatus"] == "RUNNING"
    _protect(fargate, old, enabled=False)
    fargate.wait_for(old, "STOPPED")


def test_stop_task_stops_a_protected_task(fargate: Fargate) -> None:
    (arn,) = _service(fargate, 1)
    _protect(fargate, arn)
    fargate.ecs.stop_task(cluster=fargate.cluster, task=arn)
    fargate.wait_for(arn, "STOPPED")


def test_the_api_answers_like_ecs(fargate: Fargate) -> None:
    (arn,) = _service(fargate, 1)
    standalone = fargate.run(fargate.define("t", ["exec sleep 600"]))
    answer = _protect(fargate, arn, standalone, "none", expiresInMinutes=60)
    (state,) = answer["protectedTasks"]
    assert state["taskArn"] == arn
    assert {(failure["arn"], failure["reason"]) for failure in answer["failures"]} == {
        (standalone, "TASK_NOT_VALID"),
        ("none", "MISSING"),
    }
    shown = fargate.ecs.get_task_protection(cluster=fargate.cluster, tasks=[arn])["protectedTasks"]
    assert shown[0]["expirationDate"] == state["expirationDate"]
    with pytest.raises(ClientError, match="1 to 2880"):
        _protect(fargate, arn, expiresInMinutes=2881)


def test_a_task_protects_itself_through_its_agent(fargate: Fargate) -> None:
    (arn,) = _service(fargate, 1)
    url = wait_until(lambda: fargate.log(arn).strip(), "the agent's address") + "/task-protection/v1/state"

    def call(method: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
        body = None if document is None else json.dumps(document).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method)) as answer:
            shown: dict[str, Any] = json.load(answer)
        return shown

    off = {"protection": {"ExpirationDate": None, "ProtectionEnabled": False, "TaskArn": arn}}
    assert call("GET") == off
    on = call("PUT", {"ProtectionEnabled": True, "ExpiresInMinutes": 10})["protection"]
    assert (on["ProtectionEnabled"], on["TaskArn"], on["ExpirationDate"][-1]) == (True, arn, "Z")
    assert call("GET")["protection"] == on
    assert call("PUT", {"ProtectionEnabled": False}) == off


def test_a_protection_lapses() -> None:
    clock = [1000.0]
    store = ProtectionStore(now=lambda: clock[0])
    assert store.protect("a", 1) == 1060
    store.protect("b")
    assert store.expiry("b") == 1000 + 120 * 60
    clock[0] = 1059.9
    assert store.expiry("a") == 1060
    assert store.take_expired() == []
    clock[0] = 1060
    assert store.expiry("a") is None
    assert store.take_expired() == ["a"]
    assert store.take_expired() == []
    assert store.release("b")
    assert not store.release("b")
