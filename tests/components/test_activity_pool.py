from __future__ import annotations

import json
import re
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.config import SettingsError, parse
from components.core.errors import InvalidArgsError
from components.network import Network
from components.patterns.activity_pool import ActivityPool, ActivityPoolArgs
from components.shared import endpoint_services
from components.workflows.branches import InputType
from contracts import environment as env
from contracts.manifest import Holds, PatternManifest
from tests.policies import walk_policies
from tests.program.support import run_program, settings_of
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record


def thumbs(**changes: Any) -> ActivityPool:
    arguments: dict[str, Any] = {
        "network": Network("network"),
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1"),
        "function": "thumbs:make",
        "timeout_seconds": 600,
        "heartbeat_seconds": 60,
        "spot": True,
    }
    return ActivityPool("thumbs", ActivityPoolArgs(**{**arguments, **changes}))


def definition_of(recorder: Recorder) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(recorder.one("aws:sfn/stateMachine:StateMachine").inputs["definition"])
    return document


def map_of(recorder: Recorder) -> dict[str, Any]:
    state: dict[str, Any] = definition_of(recorder)["States"]["items"]
    return state


def statements_of(recorder: Recorder, policy: str) -> dict[str, dict[str, Any]]:
    statements = policy_of(recorder.one("RolePolicy", policy).inputs["policy"])
    return {action: statement for statement in statements for action in statement["Action"]}


def alarms_of(recorder: Recorder) -> dict[str, dict[str, Any]]:
    return {item.name: dict(item.inputs) for item in recorder.of_type("MetricAlarm")}


def test_a_map_an_activity_a_pool_and_a_counter():
    recorder = record(thumbs)
    assert recorder.names("aws:sfn/stateMachine:StateMachine") == ["thumbs"]
    assert recorder.names("aws:sfn/activity:Activity") == ["thumbs"]
    assert recorder.names("aws:s3/bucket:Bucket") == ["thumbs", "thumbs-results"]
    assert recorder.names("aws:ecs/service:Service") == ["thumbs"]
    assert recorder.names("aws:lambda/function:Function") == ["thumbs-counter"]
    assert recorder.names("aws:sqs/queue:Queue") == ["thumbs-undelivered"]
    assert walk_policies(recorder) == []


def test_the_map_lists_batches_tolerates_and_writes_results():
    recorder = record(
        lambda: thumbs(prefix="in/", batch_size=10, max_concurrency=500, tolerated_failure_percentage=2.5)
    )
    state = map_of(recorder)
    assert state["ItemReader"] == {
        "Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": "thumbs-0a1b2c3", "Prefix": "in/"},
    }
    assert state["ItemSelector"] == {
        "bucket": "thumbs-0a1b2c3",
        "key.$": "$$.Map.Item.Value.Key",
        "size.$": "$$.Map.Item.Value.Size",
        "etag.$": "$$.Map.Item.Value.Etag",
    }
    assert (state["ItemBatcher"], state["MaxConcurrency"]) == ({"MaxItemsPerBatch": 10}, 500)
    assert state["ToleratedFailurePercentage"] == 2.5
    assert state["ResultWriter"]["Parameters"] == {"Bucket": "thumbs-results-0a1b2c3", "Prefix": "results"}
    assert definition_of(recorder)["TimeoutSeconds"] == 604_800


def test_the_activity_has_both_limits_and_retries():
    processor = map_of(record(thumbs))["ItemProcessor"]
    assert processor["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    work = processor["States"]["work"]
    assert work["Resource"] == f"arn:aws:states:{REGION}:{ACCOUNT}:activity:thumbs-0a1b2c3"
    assert (work["TimeoutSeconds"], work["HeartbeatSeconds"]) == (600, 60)
    assert work["ResultPath"] == "$"
    assert {"States.HeartbeatTimeout", "Worker.Interrupted"} <= {e for r in work["Retry"] for e in r["ErrorEquals"]}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (InputType.MANIFEST, {"InputType": "MANIFEST"}),
        (InputType.CSV, {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
        (InputType.JSON, {"InputType": "JSON"}),
    ],
)
def test_a_list_is_named_by_the_executions_input(kind: InputType, config: dict[str, str]):
    recorder = record(lambda: thumbs(bucket_name="photos", list_type=kind))
    state = map_of(recorder)
    assert state["ItemReader"] == {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": config,
        "Parameters": {"Bucket": "photos", "Key.$": "$.key"},
    }
    assert "ItemSelector" not in state
    assert recorder.names("aws:s3/bucket:Bucket") == ["thumbs-results"]
    assert statements_of(recorder, "thumbs-states-role-policy")["s3:GetObject"]
    assert walk_policies(recorder) == []


def test_the_roles_may_do_what_they_do_and_nothing_else():
    recorder = record(thumbs)
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:eda-test-thumbs"
    states = statements_of(recorder, "thumbs-states-role-policy")
    assert states["s3:ListBucket"]["Resource"] == ["arn:aws:s3:::thumbs-0a1b2c3"]
    assert states["s3:PutObject"]["Resource"] == ["arn:aws:s3:::thumbs-results-0a1b2c3/results/*"]
    assert states["states:StartExecution"]["Resource"] == [machine]
    worker = statements_of(recorder, "thumbs-task-role-policy")
    assert worker["states:GetActivityTask"]["Resource"] == [
        f"arn:aws:states:{REGION}:{ACCOUNT}:activity:thumbs-0a1b2c3"
    ]
    assert worker["s3:GetObject"]["Resource"] == ["arn:aws:s3:::thumbs-0a1b2c3/*"]
    counter = statements_of(recorder, "thumbs-counter-role-policy")
    assert counter["states:ListExecutions"]["Resource"] == [machine]
    assert counter["states:DescribeMapRun"]["Resource"] == [machine.replace("stateMachine", "mapRun") + "/*"]
    assert counter["cloudwatch:PutMetricData"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": "EDA/Workers"}}


def test_the_worker_polls_the_activity_on_spot_over_an_on_demand_base():
    recorder = record(lambda: thumbs(on_demand_base=1, concurrency=4))
    (container,) = json.loads(recorder.one("aws:ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"])
    environment = {item["name"]: item["value"] for item in container["environment"]}
    assert container["command"] == ["activity"]
    assert environment[env.ACTIVITY_ARN].endswith(":activity:thumbs-0a1b2c3")
    assert (environment[env.HEARTBEAT_SECONDS], environment["CONCURRENCY"]) == ("60", "4")
    service = recorder.one("aws:ecs/service:Service").inputs
    providers = [(item["capacityProvider"], item.get("base", 0)) for item in service["capacityProviderStrategies"]]
    assert providers == [("FARGATE", 1), ("FARGATE_SPOT", 0)]
    assert service["desiredCount"] == 0


def test_the_pool_follows_the_items_that_are_left():
    recorder = record(lambda: thumbs(acceptable_latency_seconds=600, processing_seconds=2, max_tasks=50))
    target = recorder.one("aws:appautoscaling/target:Target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (0, 50)
    tracking = recorder.one("aws:appautoscaling/policy:Policy", "thumbs-scaling-backlog").inputs
    configuration = tracking["targetTrackingScalingPolicyConfiguration"]
    assert configuration["targetValue"] == 300
    queries = {item["id"]: item for item in configuration["customizedMetricSpecification"]["metrics"]}
    assert queries["result"]["expression"] == "items / running"
    metric = queries["items"]["metricStat"]["metric"]
    assert (metric["namespace"], metric["metricName"]) == ("EDA/Workers", "ItemsLeft")
    assert metric["dimensions"] == [{"name": "Stack", "value": "test"}, {"name": "Pattern", "value": "thumbs"}]
    alarms = alarms_of(recorder)
    assert {name for name in alarms if "scaling" in name} == {"thumbs-scaling-wake-alarm", "thumbs-scaling-idle-alarm"}
    assert alarms["thumbs-scaling-idle-alarm"]["treatMissingData"] != "breaching"


def test_a_pool_of_a_fixed_size_has_no_policies():
    assert record(lambda: thumbs(min_tasks=4, max_tasks=4)).of_type("aws:appautoscaling/policy:Policy") == []


def test_the_counter_is_called_every_minute_and_lost_ticks_are_seen():
    recorder = record(thumbs)
    assert recorder.one("EventRule").inputs["scheduleExpression"] == "rate(1 minute)"
    target = recorder.one("EventTarget").inputs
    assert target["deadLetterConfig"]["arn"].endswith(":thumbs-undelivered-0a1b2c3")
    permission = recorder.one("aws:lambda/permission:Permission").inputs
    assert permission["principal"] == "events.amazonaws.com"
    assert permission["sourceArn"].endswith(":rule/thumbs-counter-tick-0a1b2c3")


def test_alarms_and_none():
    names = {name for name in alarms_of(record(thumbs)) if name.startswith("thumbs-alarms-")}
    assert names == {
        f"thumbs-alarms-{what}" for what in ("failed", "timed-out", "lost-workers", "unattended", "uncounted")
    }
    assert [name for name in alarms_of(record(lambda: thumbs(alarms=False))) if "scaling" not in name] == []


def test_the_manifest():
    seen: list[str] = []
    record(lambda: thumbs(prefix="in/").manifest().apply(seen.append))
    manifest = PatternManifest.from_json(seen[0])
    assert manifest.pattern == "activity-pool"
    assert manifest.state_machine is not None
    assert manifest.state_machine.steps[0].kind == "activity"
    assert manifest.bucket is not None
    assert (manifest.bucket.name, manifest.bucket.prefix) == ("thumbs-0a1b2c3", "in/")
    assert manifest.scaling is not None
    assert (manifest.scaling.policy, manifest.scaling.max) == ("backlog-per-task", 10)
    (queue,) = manifest.dead_letter_queues
    assert queue.holds is Holds.UNDELIVERED_EVENTS


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batch_size": 0}, "batch_size is 0; allowed is a whole number from 1 to 10,000 items"),
        ({"max_concurrency": 10_001}, "max_concurrency is 10001; allowed is a whole number from 1 to 10,000"),
        (
            {"tolerated_failure_percentage": 101},
            "tolerated_failure_percentage is 101; allowed is a number from 0 to 100",
        ),
        ({"max_tasks": 100, "concurrency": 20}, "max_tasks × concurrency is 2,000, more than max_concurrency (1,000)"),
        ({"prefix": "in/", "list_type": InputType.JSON}, "prefix is 'in/', but the items are listed by an object"),
        ({"heartbeat_seconds": 600}, "heartbeat_seconds is 600, not less than timeout_seconds (600)"),
        ({"processing_seconds": 7_200}, "processing_seconds is 7200, more than acceptable_latency_seconds (3600)"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], expected: str):
    with pytest.raises(InvalidArgsError, match=re.escape(expected)):
        record(lambda: thumbs(**changes))


SETTINGS: dict[str, Any] = {
    "pattern": "activity-pool",
    "handler": {"image": "registry.example/worker:1", "function": "thumbs:make"},
    "map": {"timeout_seconds": 600, "heartbeat_seconds": 60},
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"map": {}}, "patterns.thumbs.map.timeout_seconds: is missing"),
        (
            {"map": {"timeout_seconds": 60, "heartbeat_seconds": 60}},
            "patterns.thumbs.map.heartbeat_seconds: is 60, not",
        ),
        ({"items": {"list": "xml"}}, "patterns.thumbs.items.list: got 'xml'; allowed: objects"),
        ({"items": {"list": "csv", "prefix": "a/"}}, "patterns.thumbs.items: prefix is for list: objects"),
        ({"scaling": {"min": 3, "max": 2}}, "patterns.thumbs.scaling: max is 2, less than min (3)"),
        ({"scaling": {"max": 2000}}, "patterns.thumbs: scaling.max × handler.concurrency is 2,000, more than"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any], expected: str):
    with pytest.raises(SettingsError) as caught:
        parse({"patterns": json.dumps({"thumbs": {**SETTINGS, **changes}})}, "dev")
    assert any(problem.startswith(expected) for problem in caught.value.problems), caught.value.problems


def test_a_network_without_internet_gets_the_endpoint_of_step_functions():
    assert "states" in endpoint_services(parse({"patterns": json.dumps({"thumbs": SETTINGS})}, "dev"))


def test_the_whole_program_with_a_pool_previews_the_same():
    config = settings_of("prod")
    config["eda:patterns"] = {"thumbs": SETTINGS}
    recorder = run_program(config)
    assert walk_policies(recorder) == []
    assert run_program(config, preview=True).children() == recorder.children()
    service = recorder.one("aws:ecs/service:Service").inputs
    assert [item["capacityProvider"] for item in service["capacityProviderStrategies"]] == ["FARGATE_SPOT"]
