"""Runs that Scheduler could not start are started as it would have done."""

from __future__ import annotations

import json
from typing import Any

from contracts.messages import EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME, TARGET_ARN
from tests.ops.actions.replay.targets import cluster, number_of, tasks
from tests.ops.scene import Scene

_AT = "2026-11-20T08:00:00Z"


def _schedule(scene: Scene, target: dict[str, Any], name: str = "report") -> str:
    made = scene.account.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression="cron(0 8 1 1 ? 2099)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"RoleArn": f"arn:aws:iam::{scene.account.id}:role/r", **target},
    )
    return str(made["ScheduleArn"])


def _dead_letter(scene: Scene, dlq: str, schedule: str, target_arn: str, count: int) -> None:
    for number in range(count):
        values = {
            SCHEDULE_ARN: schedule,
            TARGET_ARN: target_arn,
            SCHEDULED_TIME: _AT,
            EXECUTION_ID: f"run-{number}",
            "ERROR_CODE": "ThrottlingException",
            "ERROR_MESSAGE": "Rate exceeded",
            "IS_PAYLOAD_TRUNCATED": "false",
        }
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
        scene.fill(dlq, ["{}"], MessageAttributes=attributes)


def test_a_task_runs_with_the_context_of_the_run_that_failed(scene: Scene) -> None:
    arn, rule_target = cluster(scene)
    environment = [{"name": "N", "value": "7"}, {"name": "AT", "value": "<aws.scheduler.scheduled-time>"}]
    overrides = {"containerOverrides": [{"name": "main", "environment": environment}]}
    parameters = {name: value for name, value in rule_target["EcsParameters"].items() if name != "NetworkConfiguration"}
    network = {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "ENABLED"}}
    target = {
        "Arn": arn,
        "Input": json.dumps(overrides),
        "EcsParameters": {**parameters, "NetworkConfiguration": network},
    }
    dlq, schedule = scene.queue("report-unstarted"), _schedule(scene, target)
    _dead_letter(scene, dlq, schedule, arn, 3)

    report = scene.replay(dlq)

    assert (report.moved, report.destinations) == (3, {"cluster c": 3}), report.reasons
    started = tasks(scene, "chronos-schedule/report")
    assert [number_of(task) for task in started] == [7, 7, 7]
    told = [task["overrides"]["containerOverrides"][0]["environment"][1] for task in started]
    assert told == [{"name": "AT", "value": _AT}] * 3


def test_a_schedule_that_changed_or_is_gone_keeps_its_runs(scene: Scene) -> None:
    dlq, queue = scene.queue("report-unstarted"), scene.queue("work")
    schedule = _schedule(scene, {"Arn": scene.arn(queue), "Input": '{"run": "<aws.scheduler.execution-id>"}'})
    _dead_letter(scene, dlq, schedule, scene.arn(queue), 2)
    _dead_letter(scene, dlq, schedule, scene.arn(dlq), 1)
    _dead_letter(scene, dlq, schedule.replace("/report", "/gone"), scene.arn(queue), 1)

    report = scene.replay(dlq)

    assert (report.moved, report.skipped, report.failed) == (2, 1, 1)
    assert sorted(json.loads(body)["run"] for body in scene.bodies(queue)) == ["run-0", "run-1"]
    reasons = " | ".join(report.reasons)
    assert "has another target now" in reasons
    assert "reading the schedule gone" in reasons
