from __future__ import annotations

import json
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.core.errors import InvalidArgsError
from components.network import Network
from components.patterns.workflow import Workflow, WorkflowArgs
from components.patterns.workflow_steps import StepArgs, StepKind
from components.routers.event_bus import EventBus
from contracts.manifest import PatternManifest
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:eda-test-dinner"


def workflow(*kinds: tuple[str, StepKind], **changes: Any) -> Workflow:
    network, cluster = Network("network"), Cluster("cluster")
    steps = [
        StepArgs(
            name=name,
            kind=kind,
            network=network,
            cluster=cluster,
            container=ContainerArgs(image="registry.example/worker:1"),
            function="kitchen:handle",
        )
        for name, kind in kinds
    ]
    arguments: dict[str, Any] = {"bus": EventBus("events"), "event_pattern": {"source": ["pizza"]}, "steps": steps}
    return Workflow("dinner", WorkflowArgs(**{**arguments, **changes}))


def all_kinds() -> Workflow:
    return workflow(*((kind.value, kind) for kind in StepKind))


def container(recorder: Recorder, name: str) -> dict[str, Any]:
    (found,) = json.loads(recorder.one("aws:ecs/taskDefinition:TaskDefinition", name).inputs["containerDefinitions"])
    return {**found, "environment": {item["name"]: item["value"] for item in found["environment"]}}


def test_every_kind_makes_what_runs_it_and_leads_to_the_next():
    recorder = record(all_kinds)
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == [
        "dinner-activity-worker",
        "dinner-callback-task",
        "dinner-request-response-task",
        "dinner-sync-task",
    ]
    assert recorder.names("aws:ecs/service:Service") == ["dinner-activity-worker"]
    assert recorder.names("aws:sfn/activity:Activity") == ["dinner-activity"]
    assert recorder.names(STATE_MACHINE) == ["dinner"]
    document = json.loads(recorder.one(STATE_MACHINE).inputs["definition"])
    states = document["States"]
    assert document["StartAt"] == "request-response"
    assert states["request-response-started"]["Choices"][0]["Next"] == "sync"
    assert [states["sync"]["Next"], states["callback"]["Next"], states["activity"]["End"]] == [
        "callback",
        "activity",
        True,
    ]
    assert walk_policies(recorder) == []


def test_a_worker_runs_its_source_and_may_report_where_it_must():
    recorder = record(all_kinds)
    commands = {
        name: container(recorder, f"dinner-{name}")["command"]
        for name in ("sync-task", "callback-task", "request-response-task", "activity-worker")
    }
    assert commands == {
        "sync-task": ["task"],
        "callback-task": ["callback"],
        "request-response-task": ["task"],
        "activity-worker": ["activity"],
    }
    variables = container(recorder, "dinner-activity-worker")["environment"]
    assert variables["ACTIVITY_ARN"] == f"arn:aws:states:{REGION}:{ACCOUNT}:activity:dinner-activity-0a1b2c3"
    assert (variables["WORKFLOW_HEARTBEAT_SECONDS"], variables["CONCURRENCY"]) == ("120", "1")
    assert variables["IDEMPOTENCY_TABLE"] == "dinner-idempotency-0a1b2c3"
    reports = ["states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"]
    granted = {
        name: [
            (statement["Action"], statement["Resource"])
            for statement in policy_of(recorder.one("RolePolicy", f"dinner-{name}-task-role-policy").inputs["policy"])
            if statement["Action"][0].startswith("states:")
        ]
        for name in ("sync-task", "callback-task", "activity-worker")
    }
    assert granted == {
        "sync-task": [],
        "callback-task": [(reports, [MACHINE])],
        "activity-worker": [(["states:GetActivityTask", *reports], [variables["ACTIVITY_ARN"]])],
    }


def test_the_rule_may_start_this_state_machine_and_keeps_what_it_cannot():
    recorder = record(all_kinds)
    (statement,) = policy_of(recorder.one("RolePolicy", "dinner-delivery-role-policy").inputs["policy"])
    assert (statement["Action"], statement["Resource"]) == (["states:StartExecution"], [MACHINE])
    target = recorder.one("aws:cloudwatch/eventTarget:EventTarget").inputs
    assert (target["arn"], "dinner-undelivered" in target["deadLetterConfig"]["arn"]) == (MACHINE, True)


def test_alarms_say_what_to_type_and_can_be_left_out():
    recorder = record(all_kinds)
    assert recorder.names("aws:cloudwatch/metricAlarm:MetricAlarm") == [
        f"dinner-alarms-{name}" for name in ("failed", "failed-invocations", "throttled", "timed-out", "undelivered")
    ]
    alarm = recorder.one("aws:cloudwatch/metricAlarm:MetricAlarm", "dinner-alarms-timed-out").inputs
    assert (alarm["namespace"], alarm["metricName"]) == ("AWS/States", "ExecutionsTimedOut")
    assert alarm["dimensions"] == {"StateMachineArn": MACHINE}
    assert "ops --stack test status dinner. Runbook: docs/runbooks/workflow.md" in alarm["alarmDescription"]
    quiet = record(lambda: workflow(("bake", StepKind.SYNC), alarms=False, idempotency_expires_hours=None))
    assert quiet.of_type("MetricAlarm") == []
    assert quiet.of_type("aws:dynamodb/table:Table") == []


def test_the_manifest_names_the_state_machine_and_its_steps():
    seen: list[str] = []
    record(lambda: all_kinds().manifest().apply(seen.append))
    machine = PatternManifest.from_json(seen[0]).state_machine
    assert machine is not None
    assert (machine.arn, machine.log_group) == (MACHINE, "/aws/vendedlogs/states/eda-test-dinner")
    assert [(step.name, step.service) for step in machine.steps] == [
        ("request-response", None),
        ("sync", None),
        ("callback", None),
        ("activity", "dinner-activity-worker-0a1b2c3"),
    ]


@pytest.mark.parametrize(
    ("kinds", "changes", "message"),
    [
        ((), {}, "Workflow 'dinner': steps has 0 entries; name at least one"),
        ((("bake", StepKind.SYNC), ("bake", StepKind.SYNC)), {}, "state 'bake' is there twice"),
        ((("x" * 21, StepKind.SYNC),), {}, "name has 21 characters; allowed are 1 to 20"),
    ],
)
def test_steps_that_cannot_be_are_refused(kinds: Any, changes: dict[str, Any], message: str):
    with pytest.raises(Exception, match=message):
        record(lambda: workflow(*kinds, **changes))


def test_names_that_are_too_long_together_are_refused():
    def program() -> None:
        args = all_kinds().args
        Workflow("a" * 28, args)

    with pytest.raises(
        InvalidArgsError, match="its name and the step 'request-response' have 44 characters; at most 40"
    ):
        record(program)


def test_a_preview_knows_every_part():
    assert record(all_kinds, preview=True).names(STATE_MACHINE) == ["dinner"]
