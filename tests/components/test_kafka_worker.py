from __future__ import annotations

import json
from typing import Any

import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.kafka_scaling import LAG_PER_TASK, UNATTENDED
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.network import Network, NetworkArgs
from components.patterns.kafka_worker import KafkaWorker, KafkaWorkerArgs
from components.streams.kafka import KafkaCluster, KafkaClusterArgs, KafkaKind, KafkaTopicArgs
from contracts.manifest import Holds, PatternManifest
from contracts.scaling import DEFAULT_HEADROOM
from tests.emulator import ROOT
from tests.policies import walk_policies
from tests.program.support import run_program
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

CLUSTER = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/main-0a1b2c3/0a1b-2c3d-s3"
TOPIC = CLUSTER.replace(":cluster/", ":topic/")
GROUP = CLUSTER.replace(":cluster/", ":group/")


def worker(
    name: str = "billing", kind: KafkaKind = KafkaKind.PROVISIONED, topic: KafkaTopicArgs | None = None, **changes: Any
) -> KafkaWorker:
    network = Network("network", NetworkArgs(vpc_id="vpc-1", subnet_ids=["subnet-1", "subnet-2"]))
    kafka = KafkaCluster("main", KafkaClusterArgs(network=network, kind=kind))
    arguments: dict[str, Any] = {
        "network": network,
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1", environment={"MENU": "margherita"}),
        "kafka": kafka,
        "topic": kafka.topic("orders", topic),
        "function": "worker.handlers.pizza:handle",
    }
    return KafkaWorker(name, KafkaWorkerArgs(**{**arguments, **changes}))


def container_of(recorder: Recorder, name: str = "billing") -> dict[str, Any]:
    definition = recorder.one("aws:ecs/taskDefinition:TaskDefinition", name).inputs
    (container,) = json.loads(definition["containerDefinitions"])
    result: dict[str, Any] = container
    return result


def environment_of(recorder: Recorder, name: str = "billing") -> dict[str, str]:
    return {item["name"]: item["value"] for item in container_of(recorder, name)["environment"]}


def granted(recorder: Recorder) -> set[tuple[str, str]]:
    statements = policy_of(recorder.one("aws:iam/rolePolicy:RolePolicy", "billing-task-role-policy").inputs["policy"])
    return {(action, arn) for item in statements for action in item["Action"] for arn in item["Resource"]}


def test_it_is_the_picture_in_the_documentation():
    recorder = record(worker)
    assert recorder.names("aws:msk/topic:Topic") == ["main-orders", "main-orders.billing.dead-letters"]
    assert recorder.names("aws:sqs/queue:Queue") == ["billing-dlq"]
    assert recorder.names("aws:dynamodb/table:Table") == ["billing-idempotency"]
    assert recorder.names("aws:ecs/service:Service") == ["billing"]
    assert recorder.names("aws:appautoscaling/target:Target") == ["billing-scaling-target", "main-storage"]
    assert recorder.one("RedriveAllowPolicy").inputs["redriveAllowPolicy"] == '{"redrivePermission": "denyAll"}'
    assert walk_policies(recorder) == []


def test_the_worker_finds_everything_in_its_environment():
    recorder = record(lambda: worker(concurrency=4))
    assert container_of(recorder)["command"] == ["kafka"]
    assert environment_of(recorder) == {
        "CHECK_SCHEMAS": "true",
        "CONCURRENCY": "4",
        "DEAD_LETTER_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/billing-dlq-0a1b2c3",
        "EDA_PATTERN": "billing",
        "EDA_STACK": "test",
        "HANDLER": "worker.handlers.pizza:handle",
        "IDEMPOTENCY_EXPIRES_SECONDS": "86400",
        "IDEMPOTENCY_TABLE": "billing-idempotency-0a1b2c3",
        "KAFKA_BATCH_SIZE": "500",
        "KAFKA_BOOTSTRAP_SERVERS": "b-1.main-0a1b2c3.kafka.amazonaws.com:9098",
        "KAFKA_DEAD_LETTER_TOPIC": "orders.billing.dead-letters",
        "KAFKA_GROUP": "billing",
        "KAFKA_ORDER": "key",
        "KAFKA_SESSION_SECONDS": "45",
        "KAFKA_START": "earliest",
        "KAFKA_TOPIC": "orders",
        "KAFKA_TOPIC_ARN": f"{TOPIC}/orders",
        "LOG_LEVEL": "INFO",
        "MAX_ATTEMPTS": "5",
        "MENU": "margherita",
        "STOP_TIMEOUT_SECONDS": "120",
    }


def test_on_a_serverless_cluster_the_worker_creates_its_topics():
    topic = KafkaTopicArgs(partitions=6, max_message_bytes=2_000_000)
    recorder = record(lambda: worker(kind=KafkaKind.SERVERLESS, topic=topic))
    assert recorder.of_type("aws:msk/topic:Topic") == []
    assert json.loads(environment_of(recorder)["KAFKA_CREATE_TOPICS"]) == [
        {
            "name": "orders",
            "partitions": 6,
            "replication_factor": 3,
            "configuration": {
                "cleanup.policy": "delete",
                "max.message.bytes": "2000000",
                "retention.ms": "604800000",
            },
        },
        {
            "name": "orders.billing.dead-letters",
            "partitions": 1,
            "replication_factor": 3,
            "configuration": {
                "cleanup.policy": "delete",
                "max.message.bytes": "2065536",
                "retention.ms": "1209600000",
            },
        },
    ]
    created = {arn for action, arn in granted(recorder) if action == "kafka-cluster:CreateTopic"}
    assert created == {f"{TOPIC}/orders", f"{TOPIC}/orders.billing.dead-letters"}
    assert walk_policies(recorder) == []


def test_the_task_may_consume_dead_letter_remember_and_nothing_else():
    statements = [Statement(actions=["s3:GetObject"], resources=["arn:aws:s3:::menu/*"])]
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/billing-idempotency-0a1b2c3"
    letters = f"{TOPIC}/orders.billing.dead-letters"
    assert granted(record(lambda: worker(group="invoices", statements=statements))) == {
        ("kafka-cluster:Connect", CLUSTER),
        ("kafka-cluster:DescribeTopic", f"{TOPIC}/orders"),
        ("kafka-cluster:ReadData", f"{TOPIC}/orders"),
        ("kafka-cluster:DescribeGroup", f"{GROUP}/invoices"),
        ("kafka-cluster:AlterGroup", f"{GROUP}/invoices"),
        ("kafka-cluster:WriteDataIdempotently", CLUSTER),
        ("kafka-cluster:DescribeTopic", letters),
        ("kafka-cluster:WriteData", letters),
        ("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:billing-dlq-0a1b2c3"),
        *((f"dynamodb:{verb}Item", table) for verb in ("Get", "Put", "Update", "Delete")),
        ("s3:GetObject", "arn:aws:s3:::menu/*"),
    }


def test_what_can_be_left_out():
    recorder = record(lambda: worker(dead_letter_topic=False, idempotency_expires_hours=None, alarms=False))
    assert recorder.names("aws:msk/topic:Topic") == ["main-orders"]
    assert recorder.of_type("aws:dynamodb/table:Table") == []
    assert {"KAFKA_DEAD_LETTER_TOPIC", "IDEMPOTENCY_TABLE"}.isdisjoint(environment_of(recorder))
    assert not any("Write" in action for action, _ in granted(recorder))
    alarms = recorder.names("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert alarms == ["billing-scaling-idle-alarm", "billing-scaling-wake-alarm"]


def test_every_option_of_the_reading_reaches_the_worker():
    changes: dict[str, Any] = {
        "group": "invoices",
        "start": "latest",
        "order": "partition",
        "batch_size": 50,
        "max_attempts": 9,
        "session_seconds": 10,
        "check_schemas": False,
        "log_level": "DEBUG",
        "function": None,
    }
    environment = environment_of(record(lambda: worker(**changes)))
    assert environment["KAFKA_GROUP"] == "invoices"
    assert environment["KAFKA_START"] == "latest"
    assert environment["KAFKA_ORDER"] == "partition"
    assert environment["KAFKA_BATCH_SIZE"] == "50"
    assert environment["MAX_ATTEMPTS"] == "9"
    assert environment["KAFKA_SESSION_SECONDS"] == "10"
    assert environment["CHECK_SCHEMAS"] == "false"
    assert environment["LOG_LEVEL"] == "DEBUG"
    assert "HANDLER" not in environment


def test_a_new_group_begins_with_a_task_and_never_has_more_than_partitions():
    recorder = record(lambda: worker(topic=KafkaTopicArgs(partitions=6)))
    assert recorder.one("aws:ecs/service:Service").inputs["desiredCount"] == 1
    target = recorder.one("aws:appautoscaling/target:Target", "billing-scaling-target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (0, 6)


def test_the_tasks_follow_the_lag_of_the_group():
    recorder = record(lambda: worker(acceptable_latency_seconds=60, processing_seconds=0.5))
    policy = recorder.one("aws:appautoscaling/policy:Policy", "billing-scaling-lag").inputs
    configuration = policy["targetTrackingScalingPolicyConfiguration"]
    assert configuration["targetValue"] == 120
    lag, running, result = configuration["customizedMetricSpecification"]["metrics"]
    dimensions = {item["name"]: item["value"] for item in lag["metricStat"]["metric"]["dimensions"]}
    assert lag["metricStat"]["metric"]["namespace"] == "AWS/Kafka"
    assert lag["metricStat"]["metric"]["metricName"] == "SumOffsetLag"
    assert dimensions == {"Cluster Name": "main-0a1b2c3", "Consumer Group": "billing", "Topic": "orders"}
    assert running["metricStat"]["metric"]["namespace"] == "AWS/ECS"
    assert (result["expression"], result["returnData"]) == (LAG_PER_TASK, True)


def test_the_first_task_is_woken_and_the_last_one_rests():
    recorder = record(worker)
    wake = recorder.one("MetricAlarm", "billing-scaling-wake-alarm").inputs
    assert wake["metricQueries"][0]["expression"] == UNATTENDED
    assert wake["alarmActions"] == [
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:billing-scaling-wake-0a1b2c3"
    ]
    step = recorder.one("aws:appautoscaling/policy:Policy", "billing-scaling-wake").inputs
    assert step["stepScalingPolicyConfiguration"]["adjustmentType"] == "ChangeInCapacity"
    assert step["stepScalingPolicyConfiguration"]["stepAdjustments"] == [
        {"scalingAdjustment": 1, "metricIntervalLowerBound": "0"}
    ]
    idle = recorder.one("MetricAlarm", "billing-scaling-idle-alarm").inputs
    assert (idle["metricName"], idle["threshold"], idle["evaluationPeriods"]) == ("SumOffsetLag", 0, 5)
    rest = recorder.one("aws:appautoscaling/policy:Policy", "billing-scaling-idle").inputs
    assert rest["stepScalingPolicyConfiguration"]["stepAdjustments"] == [
        {"scalingAdjustment": 0, "metricIntervalUpperBound": "0"}
    ]


def test_a_worker_that_never_rests_is_not_woken():
    recorder = record(lambda: worker(min_tasks=2))
    assert recorder.one("aws:ecs/service:Service").inputs["desiredCount"] == 2
    assert "billing-scaling-wake-alarm" not in recorder.names("MetricAlarm")
    fixed = record(lambda: worker(min_tasks=2, max_tasks=2))
    assert fixed.names("aws:appautoscaling/policy:Policy") == ["main-storage-use"]


def test_the_alarms_say_what_to_do_first():
    recorder = record(lambda: worker(alarm_topic_arn="arn:topic", lag_records=1000))
    alarms = {
        item.name.removeprefix("billing-alarms-"): item.inputs
        for item in recorder.of_type("MetricAlarm")
        if item.name.startswith("billing-alarms-")
    }
    assert set(alarms) == {"dead-letters", "lag-time", "lag-records", "no-running-task"}
    time, records = alarms["lag-time"], alarms["lag-records"]
    assert (time["metricName"], time["threshold"]) == ("EstimatedMaxTimeLag", 2700)
    assert (records["metricName"], records["threshold"]) == ("SumOffsetLag", 1000)
    assert "First: ops --stack test status billing. Runbook: docs/runbooks/kafka-lag.md" in time["alarmDescription"]
    index = (ROOT / "docs/runbooks/alarms.md").read_text()
    for name, alarm in alarms.items():
        assert alarm["alarmActions"] == alarm["okActions"] == ["arn:topic"]
        assert f"-{name}`" in index


def test_the_manifest_tells_ops_where_everything_is():
    texts: list[str] = []
    record(lambda: worker(group="invoices").manifest().apply(texts.append))
    manifest = PatternManifest.from_json(texts[0])
    assert manifest.pattern == "kafka-worker"
    assert manifest.kafka is not None
    assert (manifest.kafka.topic, manifest.kafka.group, manifest.kafka.partitions) == ("orders", "invoices", 4)
    assert manifest.kafka.cluster_arn == CLUSTER
    assert manifest.kafka.bootstrap_servers == "b-1.main-0a1b2c3.kafka.amazonaws.com:9098"
    assert manifest.kafka.dead_letter_topic == "orders.billing.dead-letters"
    (letters,) = manifest.dead_letter_queues
    assert (letters.holds, letters.origin_arn) == (Holds.RECORDS, f"{TOPIC}/orders")
    assert manifest.scaling is not None
    assert (manifest.scaling.policy, manifest.scaling.min, manifest.scaling.max) == ("lag-per-task", 0, 4)
    assert manifest.scaling.headroom == DEFAULT_HEADROOM
    assert manifest.idempotency_table == "billing-idempotency-0a1b2c3"
    assert "billing-alarms-lag-time-0a1b2c3" in manifest.alarms


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start": "now"}, "KafkaWorker 'billing': start is 'now'; allowed is one of 'earliest', 'latest'"),
        ({"order": "none"}, "KafkaWorker 'billing': order is 'none'; allowed is one of 'key', 'partition'"),
        ({"session_seconds": 5}, "session_seconds is 5; allowed is a whole number from 6 to 300 seconds"),
        ({"max_attempts": 0}, "max_attempts is 0; allowed is a whole number from 1 to 1,000 attempts"),
        (
            {"max_tasks": 5},
            "max_tasks is 5, more than the 4 partitions of orders: the rest would have no work; lower it or raise "
            "partitions",
        ),
        ({"min_tasks": 3, "max_tasks": 2}, "min_tasks is 3, more than max_tasks (2); lower it"),
        ({"processing_seconds": 901}, "processing_seconds is 901, more than acceptable_latency_seconds (900)"),
        ({"lag_seconds": 1}, "lag_seconds is 1; allowed is a whole number from 60 to 31,536,000 seconds"),
        (
            {"container": ContainerArgs(image="a:1", environment={"KAFKA_GROUP": "x"})},
            "container sets KAFKA_GROUP, which the pattern owns; remove it",
        ),
    ],
)
def test_wrong_arguments_are_told(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: worker(**changes))
    assert problem in str(caught.value)


def test_a_topic_belongs_to_its_cluster():
    def program() -> None:
        network = Network("network", NetworkArgs(vpc_id="vpc-1", subnet_ids=["subnet-1", "subnet-2"]))
        other = KafkaCluster("other", KafkaClusterArgs(network=network)).topic("orders")
        worker(topic=None, network=network, kafka=KafkaCluster("mine", KafkaClusterArgs(network=network)))
        raise AssertionError(f"accepted {other}")

    with pytest.raises(InvalidArgsError, match="the topic 'orders' is not one of the cluster 'mine'"):
        record(program)


def stack(**kafka: Any) -> dict[str, Any]:
    pattern = {"pattern": "kafka-worker", "cluster": "main", "topic": "orders", "handler": {"image": "a:1"}}
    return {
        "eda:kafka": {"main": {"topics": {"orders": {"partitions": 2}}, **kafka}},
        "eda:patterns": {"billing": pattern, "search": pattern},
    }


@pytest.mark.parametrize("kafka", [{}, {"kind": "provisioned", "instance_type": "kafka.t3.small"}])
@pytest.mark.parametrize("preview", [False, True])
def test_two_groups_of_one_topic_in_the_whole_program(kafka: dict[str, Any], preview: bool):
    recorder = run_program(stack(**kafka), preview=preview)
    clusters = recorder.of_type("aws:msk/cluster:Cluster") + recorder.of_type(
        "aws:msk/serverlessCluster:ServerlessCluster"
    )
    assert [item.name for item in clusters] == ["main-kafka"]
    assert recorder.names("aws:ecs/service:Service") == ["billing", "search"]
    alarms = [name for name in recorder.names("MetricAlarm") if name.startswith("main-kafka-alarms")]
    assert bool(alarms) == bool(kafka)
    if kafka:
        assert recorder.names("aws:msk/topic:Topic") == [
            "main-kafka-orders",
            "main-kafka-orders.billing.dead-letters",
            "main-kafka-orders.search.dead-letters",
        ]
    if not preview:
        groups = {environment_of(recorder, name)["KAFKA_GROUP"] for name in ("billing", "search")}
        assert groups == {"billing", "search"}
        assert walk_policies(recorder) == []
