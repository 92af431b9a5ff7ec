"""`ops status` of workflows: how many executions run, failed and timed out."""

from __future__ import annotations

import json
from typing import Any

from ops.exit_codes import ExitCode
from tests.ops.scene import Scene
from tests.worker.support import wait_for


def test_executions_are_counted_by_what_became_of_them_and_what_cannot_be_read_is_unknown(scene: Scene) -> None:
    states = scene.account.client("stepfunctions")
    kinds: dict[str, dict[str, Any]] = {
        "running": {"Type": "Wait", "Seconds": 600, "End": True},
        "failed": {"Type": "Fail", "Error": "NoPizza"},
        "late": {"Type": "Task", "Resource": states.create_activity(name="ovens")["activityArn"], "End": True},
        "good": {"Type": "Succeed"},
    }
    choices = [{"Variable": "$.kind", "StringEquals": kind, "Next": kind} for kind in kinds]
    definition = {
        "StartAt": "which",
        "States": {"which": {"Type": "Choice", "Choices": choices, "Default": "good"}, **kinds},
    }
    machines = [
        states.create_state_machine(
            name=name, definition=json.dumps(document), roleArn=f"arn:aws:iam::{scene.account.id}:role/states"
        )["stateMachineArn"]
        for name, document in (("dinner", definition), ("supper", {**definition, "TimeoutSeconds": 1}))
    ]
    for kind in ("running", "failed", "failed", "good"):
        states.start_execution(stateMachineArn=machines[0], input=json.dumps({"kind": kind}))
    states.start_execution(stateMachineArn=machines[1], input=json.dumps({"kind": "late"}))
    for name, arn in zip(("dinner", "supper"), machines, strict=True):
        scene.publish_pattern(name, {"pattern": "workflow", "state_machine": {"name": name, "arn": arn}})

    def counts() -> list[dict[str, int]]:
        ran = scene.run("--stack", "dev", "status", "--output", "json")
        assert ran.code == ExitCode.OK, ran.stderr
        return [row["executions"] for row in json.loads(ran.stdout)]

    expected = [{"running": 1, "failed": 2, "timed_out": 0}, {"running": 0, "failed": 0, "timed_out": 1}]
    wait_for("the executions' ends", lambda: counts() == expected)
    table = scene.run("--stack", "dev", "status", "dinner").stdout
    assert ("running 1" in table, "failed 2" in table, "timed out" in table) == (True, True, False)

    scene.publish_pattern("gone", {"pattern": "workflow", "state_machine": {"name": "gone", "arn": machines[0] + "x"}})
    ran = scene.run("--stack", "dev", "status", "gone")
    assert (ran.code, "?" in ran.stdout, "its executions" in ran.stderr) == (ExitCode.PARTLY, True, True)
