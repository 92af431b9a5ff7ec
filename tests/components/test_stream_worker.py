from __future__ import annotations

import json
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.network import Network
from components.patterns.stream_worker import StreamWorker, StreamWorkerArgs
from components.routers.event_bus import EventBus
from components.streams.kinesis import KinesisStream, KinesisStreamArgs, StreamMode
from contracts.manifest import Holds, PatternManifest
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks-0a1b2c3"
EVENTS = {"source": ["pizza.service.com"]}


def worker(name: str = "clicks", **changes: Any) -> StreamWorker:
    arguments: dict[str, Any] = {
        "network": Network("network"),
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1", environment={"MENU": "margherita"}),
        "function": "worker.handlers.pizza:handle",
    }
    return StreamWorker(name, StreamWorkerArgs(**{**arguments, **changes}))


def container_of(recorder: Recorder, name: str = "clicks") -> dict[str, Any]:
    definition = recorder.one("aws:ecs/taskDefinition:TaskDefinition", name).inputs
    (container,) = json.loads(definition["containerDefinitions"])
    result: dict[str, Any] = container
    return result


def environment_of(recorder: Recorder, name: str = "clicks") -> dict[str, str]:
    return {item["name"]: item["value"] for item in container_of(recorder, name)["environment"]}


def task_actions(recorder: Recorder) -> set[str]:
    statements = policy_of(recorder.one("aws:iam/rolePolicy:RolePolicy", "clicks-task-role-policy").inputs["policy"])
    return {action for statement in statements for action in statement["Action"]}


def test_a_stream_worker_has_its_stream_its_tables_and_its_queue():
    recorder = record(lambda: worker())
    counts = recorder.children()
    assert counts["aws:kinesis/stream:Stream"] == 1
    assert counts["aws:dynamodb/table:Table"] == 2
    assert counts["aws:sqs/queue:Queue"] == 1
    assert counts["aws:ecs/service:Service"] == 1
    assert counts["aws:cloudwatch/metricAlarm:MetricAlarm"] == 2 + 3 + 3  # scaling, application, stream
    assert "aws:cloudwatch/eventRule:EventRule" not in counts
    assert "aws:kinesis/streamConsumer:StreamConsumer" not in counts
    leases = recorder.one("aws:dynamodb/table:Table", "clicks-leases").inputs
    assert (leases["hashKey"], leases["billingMode"]) == ("shard_id", "PAY_PER_REQUEST")
    assert leases["pointInTimeRecovery"] == {"enabled": True}
    assert json.loads(recorder.one("RedriveAllowPolicy").inputs["redriveAllowPolicy"]) == {
        "redrivePermission": "denyAll"
    }


def test_the_container_is_told_everything():
    recorder = record(lambda: worker(concurrency=8, max_attempts=3))
    assert container_of(recorder)["command"] == ["stream"]
    assert environment_of(recorder) == {
        "CONCURRENCY": "8",
        "DEAD_LETTER_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/clicks-dlq-0a1b2c3",
        "EDA_PATTERN": "clicks",
        "EDA_STACK": "test",
        "HANDLER": "worker.handlers.pizza:handle",
        "IDEMPOTENCY_EXPIRES_SECONDS": "86400",
        "IDEMPOTENCY_TABLE": "clicks-idempotency-0a1b2c3",
        "LEASE_SECONDS": "20",
        "LEASE_TABLE": "clicks-leases-0a1b2c3",
        "LOG_LEVEL": "INFO",
        "CHECK_SCHEMAS": "true",
        "MAX_ATTEMPTS": "3",
        "MENU": "margherita",
        "START_POSITION": "TRIM_HORIZON",
        "STOP_TIMEOUT_SECONDS": "120",
        "STREAM_ARN": ARN,
        "STREAM_BATCH_SIZE": "500",
    }


def test_schemas_are_not_checked_on_request():
    assert environment_of(record(lambda: worker(check_schemas=False)))["CHECK_SCHEMAS"] == "false"


def test_the_role_may_poll_keep_leases_and_no_more():
    recorder = record(lambda: worker())
    assert task_actions(recorder) == {
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        *(f"dynamodb:{name}" for name in ("Scan", "GetItem", "PutItem", "UpdateItem", "DeleteItem")),
        "sqs:SendMessage",
    }
    assert walk_policies(recorder) == []


def test_enhanced_fan_out_registers_a_consumer_and_reads_as_it():
    recorder = record(lambda: worker(enhanced_fan_out=True))
    assert recorder.names("StreamConsumer") == ["clicks-clicks"]
    assert environment_of(recorder)["STREAM_CONSUMER_ARN"].startswith("arn:aws:kinesis:")
    assert {"kinesis:SubscribeToShard", "kinesis:ListShards"} <= task_actions(recorder)
    assert "kinesis:GetRecords" not in task_actions(recorder)


def test_what_a_registered_consumer_has_not_read_raises_an_alarm_before_it_expires():
    args = KinesisStreamArgs(retention_hours=48)
    alarm = record(lambda: worker(enhanced_fan_out=True, stream=args)).one("MetricAlarm", "clicks-alarms-consumer-age")
    inputs = alarm.inputs
    assert (inputs["namespace"], inputs["metricName"]) == ("AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest")
    assert inputs["dimensions"].keys() == {"StreamName", "ConsumerName"}
    assert (inputs["statistic"], inputs["threshold"]) == ("Maximum", 24 * 3600 * 1000)
    assert not any("consumer-age" in name for name in record(lambda: worker()).names("MetricAlarm"))


def test_events_of_the_bus_go_into_the_stream_by_a_key():
    recorder = record(
        lambda: worker(bus=EventBus("events"), event_pattern=EVENTS, partition_key_path="$.detail.data.channel-id")
    )
    target = recorder.one("EventTarget").inputs
    assert target["arn"] == ARN
    assert target["kinesisTarget"] == {"partitionKeyPath": "$.detail.data.channel-id"}
    assert target["deadLetterConfig"]["arn"].endswith(":clicks-undelivered-0a1b2c3")
    names = recorder.names("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert {"clicks-alarms-undelivered", "clicks-alarms-failed-invocations"} <= set(names)
    assert walk_policies(recorder) == []


def test_two_applications_share_a_stream_and_nothing_else():
    def program() -> None:
        shared: dict[str, Any] = {"network": Network("network"), "cluster": Cluster("cluster")}
        stream = KinesisStream("clicks", KinesisStreamArgs(mode=StreamMode.PROVISIONED, shard_count=2))
        worker("billing", stream=stream, **shared)
        worker("search", stream=stream, enhanced_fan_out=True, **shared)

    recorder = record(program)
    assert recorder.names("aws:kinesis/stream:Stream") == ["clicks"]
    assert recorder.names("aws:dynamodb/table:Table") == [
        "billing-idempotency",
        "billing-leases",
        "search-idempotency",
        "search-leases",
    ]
    assert recorder.names("StreamConsumer") == ["clicks-search"]
    assert environment_of(recorder, "billing")["STREAM_ARN"] == environment_of(recorder, "search")["STREAM_ARN"] == ARN
    targets = recorder.of_type("aws:appautoscaling/target:Target")
    assert [target.inputs["maxCapacity"] for target in targets] == [2, 2]  # the shards
    assert not [
        name for name in recorder.names("MetricAlarm") if "stream-alarms" in name
    ]  # the stream's owner has them


def test_tasks_follow_the_lag_in_steps():
    recorder = record(lambda: worker(acceptable_latency_seconds=30, max_tasks=8))
    target = recorder.one("aws:appautoscaling/target:Target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (1, 8)
    policies = {
        item.name: item.inputs["stepScalingPolicyConfiguration"]
        for item in recorder.of_type("Policy")
        if item.custom and "appautoscaling" in item.type
    }
    behind = policies["clicks-scaling-behind"]
    assert (behind["adjustmentType"], behind["minAdjustmentMagnitude"]) == ("PercentChangeInCapacity", 1)
    assert behind["stepAdjustments"] == [
        {"scalingAdjustment": 50, "metricIntervalLowerBound": "0", "metricIntervalUpperBound": "60000"},
        {"scalingAdjustment": 100, "metricIntervalLowerBound": "60000"},
    ]
    assert policies["clicks-scaling-caught-up"]["stepAdjustments"] == [
        {"scalingAdjustment": -1, "metricIntervalUpperBound": "0"}
    ]
    alarms = {item.name: item.inputs for item in recorder.of_type("MetricAlarm")}
    for name, threshold, periods in (("behind", 30_000, 2), ("caught-up", 3_000, 15)):
        alarm = alarms[f"clicks-scaling-{name}-alarm"]
        assert (alarm["namespace"], alarm["metricName"]) == ("EDA/Workers", "LagMilliseconds")
        assert alarm["dimensions"] == {"Stack": "test", "Pattern": "clicks"}
        assert (alarm["threshold"], alarm["evaluationPeriods"]) == (threshold, periods)
        assert alarm["treatMissingData"] == "notBreaching"
    assert alarms["clicks-alarms-behind"]["threshold"] == 300_000
    assert alarms["clicks-alarms-no-running-task"]["treatMissingData"] == "breaching"


def test_a_fixed_number_of_tasks_has_no_policies():
    recorder = record(lambda: worker(min_tasks=2, max_tasks=2))
    assert recorder.of_type("aws:appautoscaling/policy:Policy") == []
    assert recorder.one("aws:ecs/service:Service").inputs["desiredCount"] == 2


def test_a_key_of_our_own_encrypts_everything_and_the_role_may_use_it():
    def program() -> None:
        key = EncryptionKey("key")
        worker(encryption_key=key, stream=KinesisStreamArgs(encryption_key=key))

    recorder = record(program)
    assert all(item.inputs["serverSideEncryption"]["enabled"] for item in recorder.of_type("aws:dynamodb/table:Table"))
    assert recorder.one("aws:kinesis/stream:Stream").inputs["kmsKeyId"].startswith("arn:aws:kms:")
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= task_actions(recorder)
    assert walk_policies(recorder) == []


def test_without_idempotency_or_alarms_there_is_no_table_and_no_alarm():
    recorder = record(lambda: worker(idempotency_expires_hours=None, alarms=False, max_tasks=1))
    assert recorder.names("aws:dynamodb/table:Table") == ["clicks-leases"]
    assert recorder.of_type("MetricAlarm") == []
    assert "IDEMPOTENCY_TABLE" not in environment_of(recorder)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start_position": "NOW"}, "start_position is 'NOW'; allowed is one of 'TRIM_HORIZON', 'LATEST'"),
        ({"event_pattern": EVENTS}, "set both bus and event_pattern, for a rule that fills the stream, or neither"),
        ({"partition_key_path": "$.id"}, "partition_key_path is '$.id' without event_pattern"),
        ({"lease_seconds": 1}, "lease_seconds is 1; allowed is a whole number from 2 to 300 seconds"),
        ({"max_attempts": 0}, "max_attempts is 0; allowed is a whole number from 1 to 1,000 attempts"),
        (
            {"stream": KinesisStreamArgs(mode=StreamMode.PROVISIONED, shard_count=2), "max_tasks": 3},
            "max_tasks is 3, more than the 2 shards: a shard has one worker at a time",
        ),
        ({"min_tasks": 3, "max_tasks": 2}, "min_tasks is 3, more than max_tasks (2)"),
        (
            {"container": ContainerArgs(image="i", environment={"LEASE_TABLE": "x"})},
            "container sets LEASE_TABLE, which the pattern owns; remove it",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_arguments_are_told(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: worker(**changes))
    assert problem in str(caught.value)


def test_the_manifest_tells_ops_everything():
    found: list[str] = []

    def program() -> None:
        made = worker(bus=EventBus("events"), event_pattern=EVENTS, enhanced_fan_out=True)
        made.manifest().apply(found.append)

    record(program)
    manifest = PatternManifest.from_json(found[0])
    assert (manifest.name, manifest.pattern, manifest.region) == ("clicks", "stream-worker", REGION)
    assert manifest.stream is not None
    assert (manifest.stream.arn, manifest.stream.lease_table) == (ARN, "clicks-leases-0a1b2c3")
    assert manifest.stream.consumer_arn is not None
    records, undelivered = manifest.dead_letter_queues
    assert (records.holds, records.origin_arn) == (Holds.RECORDS, ARN)
    assert undelivered.holds is Holds.UNDELIVERED_EVENTS
    assert manifest.scaling is not None
    assert (manifest.scaling.policy, manifest.scaling.min, manifest.scaling.max) == ("lag", 1, 4)
    assert len(manifest.alarms) == 9
    assert [rule.bus for rule in manifest.rules] == ["events-0a1b2c3"]


def test_without_a_rule_the_manifest_has_no_bus():
    found: list[str] = []
    record(lambda: worker().manifest().apply(found.append))
    manifest = PatternManifest.from_json(found[0])
    assert (manifest.bus, manifest.rules, len(manifest.dead_letter_queues)) == (None, (), 1)
