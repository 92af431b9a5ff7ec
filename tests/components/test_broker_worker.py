from __future__ import annotations

import json
from typing import Any

import pytest

from components.compute.broker_scaling import BrokerScalingArgs
from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.network import Network
from components.patterns.broker_worker import BrokerWorker, BrokerWorkerArgs
from components.stores.broker import Broker, BrokerArgs
from contracts.brokers import BrokerEngine
from contracts.manifest import PatternManifest
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:orders-broker-credentials-0a1b2c3-AbCdEf"


def worker(name: str = "orders", *, own: dict[str, Any] | None = None, **changes: Any) -> BrokerWorker:
    network = Network("network")
    arguments: dict[str, Any] = {
        "network": network,
        "cluster": Cluster("cluster"),
        "container": ContainerArgs(image="registry.example/worker:1", environment={"MENU": "margherita"}),
        "function": "worker.handlers.pizza:handle",
        "broker": BrokerArgs(network=network, **(own or {})),
    }
    return BrokerWorker(name, BrokerWorkerArgs(**{**arguments, **changes}))


def container_of(recorder: Recorder) -> dict[str, Any]:
    definition = recorder.one("aws:ecs/taskDefinition:TaskDefinition", "orders").inputs
    (container,) = json.loads(definition["containerDefinitions"])
    result: dict[str, Any] = container
    return result


def alarms_of(recorder: Recorder) -> dict[str, dict[str, Any]]:
    return {item.name: dict(item.inputs) for item in recorder.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")}


def expression_of(alarm: dict[str, Any]) -> str:
    return str(next(query["expression"] for query in alarm["metricQueries"] if "expression" in query))


def dimensions_of(alarm: dict[str, Any]) -> list[dict[str, str]]:
    return [query["metric"]["dimensions"] for query in alarm["metricQueries"] if "metric" in query]


def test_a_broker_worker_has_its_broker_and_its_table():
    recorder = record(lambda: worker())
    counts = recorder.children()
    assert counts["aws:mq/broker:Broker"] == 1
    assert counts["aws:dynamodb/table:Table"] == 1
    assert counts["aws:ecs/service:Service"] == 1
    assert counts["aws:appautoscaling/policy:Policy"] == 2  # tracking, idle
    assert set(alarms_of(recorder)) == {
        "orders-scaling-idle-alarm",
        "orders-alarms-dead-letters",
        "orders-alarms-waiting",
        "orders-alarms-no-consumer",
        "orders-broker-alarms-cpu",
    }
    assert "aws:sqs/queue:Queue" not in counts
    assert walk_policies(recorder) == []


def test_the_container_is_told_everything_and_the_password_by_reference_only():
    container = container_of(record(lambda: worker(concurrency=4, max_receive_count=3)))
    assert container["command"] == ["broker"]
    assert {item["name"]: item["value"] for item in container["environment"]} == {
        "BROKER_DEAD_LETTER_QUEUE": "orders.dlq",
        "BROKER_LEASE_SECONDS": "30",
        "BROKER_ORDERED": "false",
        "BROKER_QUEUE": "orders",
        "BROKER_URLS": f"amqps://b-0a1b2c3.mq.{REGION}.amazonaws.com:5671",
        "CONCURRENCY": "4",
        "EDA_PATTERN": "orders",
        "EDA_STACK": "test",
        "HANDLER": "worker.handlers.pizza:handle",
        "IDEMPOTENCY_EXPIRES_SECONDS": "86400",
        "IDEMPOTENCY_TABLE": "orders-idempotency-0a1b2c3",
        "LOG_LEVEL": "INFO",
        "CHECK_SCHEMAS": "true",
        "MAX_RECEIVE_COUNT": "3",
        "MENU": "margherita",
        "STOP_TIMEOUT_SECONDS": "120",
    }
    assert container["secrets"] == [
        {"name": "BROKER_PASSWORD", "valueFrom": f"{SECRET}:password::"},
        {"name": "BROKER_USERNAME", "valueFrom": f"{SECRET}:username::"},
    ]


def test_the_execution_role_reads_exactly_the_credentials_and_their_key():
    recorder = record(lambda: worker(own={"encryption_key": EncryptionKey("key")}))
    policies = {
        item.name: policy_of(item.inputs["policy"]) for item in recorder.of_type("aws:iam/rolePolicy:RolePolicy")
    }
    granted = {statement["Action"][0]: statement["Resource"] for statement in policies["orders-execution-role-policy"]}
    assert set(granted["secretsmanager:GetSecretValue"]) == {SECRET}
    assert granted["kms:Decrypt"] == [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/key-0a1b2c3"]
    task = {action for statement in policies["orders-task-role-policy"] for action in statement["Action"]}
    assert task == {f"dynamodb:{verb}Item" for verb in ("Get", "Put", "Update", "Delete")}


def test_options_arrive():
    container = container_of(
        record(lambda: worker(ordered=True, prefetch=7, lease_seconds=60, check_schemas=False, queue="shop.orders"))
    )
    environment = {item["name"]: item["value"] for item in container["environment"]}
    assert environment["BROKER_ORDERED"] == "true"
    assert environment["BROKER_PREFETCH"] == "7"
    assert environment["BROKER_LEASE_SECONDS"] == "60"
    assert environment["CHECK_SCHEMAS"] == "false"
    assert (environment["BROKER_QUEUE"], environment["BROKER_DEAD_LETTER_QUEUE"]) == ("shop.orders", "shop.orders.dlq")


def test_without_idempotency_there_is_no_table():
    recorder = record(lambda: worker(idempotency_expires_hours=None))
    assert recorder.of_type("aws:dynamodb/table:Table") == []
    assert not any(item["name"].startswith("IDEMPOTENCY") for item in container_of(recorder)["environment"])


def test_a_shared_broker_is_used_and_not_watched_twice():
    def program() -> None:
        shared = Broker("shop-broker", BrokerArgs(network=Network("vpc")))
        for name in ("orders", "refunds"):
            worker_of(name, shared)

    def worker_of(name: str, shared: Broker) -> None:
        args = BrokerWorkerArgs(
            network=Network(f"{name}-network"),
            cluster=Cluster(f"{name}-cluster"),
            container=ContainerArgs(image="registry.example/worker:1"),
            broker=shared,
        )
        BrokerWorker(name, args)

    recorder = record(program)
    assert recorder.names("aws:mq/broker:Broker") == ["shop-broker"]
    assert not [name for name in alarms_of(recorder) if "broker-alarms" in name]
    assert recorder.names("aws:ecs/service:Service") == ["orders", "refunds"]


def test_the_backlog_per_task_of_rabbitmq_is_tracked():
    recorder = record(lambda: worker(acceptable_latency_seconds=60, processing_seconds=2))
    configuration = recorder.one("aws:appautoscaling/policy:Policy", "orders-scaling-backlog").inputs[
        "targetTrackingScalingPolicyConfiguration"
    ]
    assert configuration["targetValue"] == 30
    metrics = {item["id"]: item for item in configuration["customizedMetricSpecification"]["metrics"]}
    assert metrics["result"]["expression"] == "MAX([backlog]) / running"
    stat = metrics["backlog"]["metricStat"]
    assert (stat["metric"]["namespace"], stat["metric"]["metricName"], stat["stat"]) == (
        "AWS/AmazonMQ",
        "MessageCount",
        "Maximum",
    )
    assert {item["name"]: item["value"] for item in stat["metric"]["dimensions"]} == {
        "Broker": "orders-broker-0a1b2c3",
        "Queue": "orders",
        "VirtualHost": "/",
    }


def test_of_an_active_and_a_standby_broker_the_one_that_speaks_counts():
    recorder = record(lambda: worker(own={"engine": BrokerEngine.ACTIVEMQ, "multi_az": True}, min_tasks=0))
    alarms = alarms_of(recorder)
    both = "MAX([FILL(backlog_1, 0), FILL(backlog_2, 0)])"
    assert expression_of(alarms["orders-scaling-idle-alarm"]) == both
    assert expression_of(alarms["orders-scaling-wake-alarm"]) == f"IF(({both} > 0) AND (FILL(running, 0) < 1), 1, 0)"
    assert dimensions_of(alarms["orders-scaling-idle-alarm"]) == [
        {"Broker": f"orders-broker-0a1b2c3-{number}", "Queue": "orders"} for number in (1, 2)
    ]
    assert {name for name in alarms if "broker-alarms" in name} == {
        f"orders-broker-alarms-{what}-{number}" for what in ("cpu", "store", "heap") for number in (1, 2)
    }


def test_the_alarms_say_what_happened_and_ask_for_the_right_queue():
    alarms = alarms_of(record(lambda: worker(alarm_topic_arn="arn:topic", max_tasks=4, processing_seconds=2)))
    letters, waiting = alarms["orders-alarms-dead-letters"], alarms["orders-alarms-waiting"]
    assert dimensions_of(letters)[0]["Queue"] == "orders.dlq"
    assert letters["threshold"] == 1
    assert waiting["threshold"] == 3 * 450 * 4
    assert dimensions_of(waiting)[0]["Queue"] == "orders"
    nobody = alarms["orders-alarms-no-consumer"]
    assert expression_of(nobody) == "IF((MAX([backlog]) > 0) AND (MAX([consumers]) < 1), 1, 0)"
    assert nobody["evaluationPeriods"] == 10
    for name in ("orders-alarms-dead-letters", "orders-alarms-waiting", "orders-alarms-no-consumer"):
        assert alarms[name]["alarmActions"] == ["arn:topic"]
        assert alarms[name]["alarmDescription"].endswith(
            "First: ops --stack test status orders. Runbook: docs/runbooks/broker.md"
        )
    assert alarms["orders-scaling-idle-alarm"]["alarmActions"] != ["arn:topic"]


def test_from_zero_a_task_is_started_and_the_first_deploy_starts_one_that_makes_the_queue():
    recorder = record(lambda: worker(min_tasks=0))
    assert recorder.one("aws:ecs/service:Service").inputs["desiredCount"] == 1
    assert recorder.one("aws:appautoscaling/target:Target").inputs["minCapacity"] == 0
    assert "orders-scaling-wake-alarm" in alarms_of(recorder)


def test_a_fixed_number_of_tasks_has_no_policies():
    recorder = record(lambda: worker(min_tasks=2, max_tasks=2))
    assert recorder.of_type("aws:appautoscaling/policy:Policy") == []


def test_no_alarms_on_request():
    assert set(alarms_of(record(lambda: worker(alarms=False)))) == {"orders-scaling-idle-alarm"}


def test_the_manifest_tells_ops_everything():
    texts: list[str] = []
    record(lambda: worker(own={"engine": BrokerEngine.ACTIVEMQ, "multi_az": True}).manifest().apply(texts.append))
    manifest = PatternManifest.from_json(texts[0])
    assert manifest.pattern == "broker-worker"
    assert manifest.broker is not None
    assert (manifest.broker.engine, manifest.broker.queue, manifest.broker.dead_letter_queue) == (
        "activemq",
        "orders",
        "orders.dlq",
    )
    assert manifest.broker.urls == tuple(
        f"stomp+ssl://b-0a1b2c3-{number}.mq.{REGION}.amazonaws.com:61614" for number in (1, 2)
    )
    assert manifest.broker.secret_arn == SECRET
    assert "generated" not in texts[0]
    assert manifest.service is not None
    assert len(manifest.alarms) == 9
    assert len(texts[0]) < 4096


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"max_receive_count": 0}, "max_receive_count is 0; allowed is a whole number from 1 to 1,000 attempts"),
        ({"prefetch": 3000}, "prefetch is 3000; allowed is a whole number from 1 to 2,000 messages"),
        ({"lease_seconds": 1}, "lease_seconds is 1; allowed is a whole number from 2 to 3,600 seconds"),
        (
            {"ordered": True, "concurrency": 2},
            "ordered with concurrency 2: two messages at a time have no order; set concurrency to 1",
        ),
        (
            {
                "container": ContainerArgs(
                    image="x", environment={"BROKER_QUEUE": "y"}, secrets={"BROKER_PASSWORD": "z"}
                )
            },
            "container sets BROKER_PASSWORD, BROKER_QUEUE, which the pattern owns; remove it",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: worker(**changes))
    assert str(caught.value) == f"BrokerWorker 'orders': {problem}"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"min_tasks": 5, "max_tasks": 2},
            "min_tasks is 5, more than max_tasks (2); lower min_tasks or raise max_tasks",
        ),
        ({"processing_seconds": 901}, "processing_seconds is 901, more than acceptable_latency_seconds (900)"),
        ({"max_tasks": 0, "min_tasks": 0}, "max_tasks is 0; allowed is a whole number from 1 to 5,000 tasks"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_scaling_says_what_is_wrong(changes: dict[str, Any], problem: str):
    assert set(changes) <= set(BrokerScalingArgs.__dataclass_fields__)
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: worker(**changes))
    assert problem in str(caught.value)


@pytest.mark.parametrize("engine", list(BrokerEngine))
def test_it_runs_with_unknown_outputs(engine: BrokerEngine):
    recorder = record(lambda: worker(own={"engine": engine}).manifest(), preview=True)
    assert recorder.names("aws:ecs/service:Service") == ["orders"]
