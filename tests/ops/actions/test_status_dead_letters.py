"""`ops status` counts messages that are outside SQS, too; what cannot be counted is told, and the rest is shown."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ops.exit_codes import ExitCode
from tests.faults.proxy import Fault, FaultsProxy
from tests.ops.scene import Ran, Scene

NOWHERE = "127.0.0.1:9"


def publish(scene: Scene, engine: str, urls: list[str]) -> None:
    """A broker worker, beside a queue worker with a dead letter."""
    login = json.dumps({"username": "u", "password": "p"})
    broker = {
        "name": "main",
        "arn": f"arn:aws:mq:{scene.account.region}:{scene.account.id}:broker:main:b-1",
        "engine": engine,
        "urls": urls,
        "secret_arn": scene.account.client("secretsmanager").create_secret(Name="login", SecretString=login)["ARN"],
        "queue": "orders",
        "dead_letter_queue": "orders.dlq",
    }
    scene.publish_pattern("orders", {"pattern": "broker-worker", "broker": broker})
    dlq = scene.queue("bills-dlq")
    scene.fill(dlq, ["{}"])
    scene.publish_pattern(
        "bills", {"pattern": "queue-worker", "dead_letter_queues": [scene.queue_ref(dlq, holds="messages")]}
    )


def measured(scene: Scene, metric: str, value: float, **dimensions: str) -> None:
    data = {
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Value": value,
    }
    scene.account.client("cloudwatch").put_metric_data(Namespace="AWS/AmazonMQ", MetricData=[data])


def letters(ran: Ran) -> dict[str, Any]:
    """Of all patterns."""
    return {row["name"]: row["dead_letters"] for row in json.loads(ran.stdout)}


def waiting(ran: Ran) -> tuple[int | None, int | None]:
    """Of the broker worker: visible and in flight."""
    row = next(row for row in json.loads(ran.stdout) if row["name"] == "orders")
    return row["visible"], row["in_flight"]


def status(scene: Scene) -> Ran:
    return scene.run("--stack", "dev", "status", "--output", "json")


def test_cloudwatch_counts_the_queue_and_the_dead_letters_of_rabbitmq(scene: Scene) -> None:
    publish(scene, "rabbitmq", [f"amqp://{NOWHERE}"])
    measured(scene, "MessageCount", 12, Broker="main", Queue="orders.dlq", VirtualHost="/")
    measured(scene, "MessageCount", 99, Broker="main", Queue="orders", VirtualHost="/")

    ran = status(scene)

    assert ran.code == ExitCode.OK, ran.stderr  # nobody listens at the broker's address: it was not asked
    assert letters(ran) == {"orders": {"orders.dlq": 12}, "bills": {"bills-dlq": 1}}
    assert waiting(ran) == (99, None)
    shown = scene.run("--stack", "dev", "status", "orders").stdout
    assert re.search(r"orders +broker-worker +99 .*orders\.dlq 12", shown), shown


@pytest.mark.parametrize("active", ["1", "2"])
def test_of_a_pair_of_activemq_the_active_ones_count_is_taken(scene: Scene, active: str) -> None:
    publish(scene, "activemq", [f"stomp+ssl://{NOWHERE}"] * 2)
    measured(scene, "QueueSize", 7, Broker=f"main-{active}", Queue="orders.dlq")
    measured(scene, "QueueSize", 31, Broker=f"main-{active}", Queue="orders")

    ran = status(scene)

    assert (ran.code, letters(ran)["orders"], waiting(ran)) == (ExitCode.OK, {"orders.dlq": 7}, (31, None))


@pytest.mark.parametrize(
    ("engine", "why"),
    [("activemq", ""), ("rabbitmq", ", and the broker main cannot be reached (AMQPConnectionError)")],
)
def test_a_broker_that_nobody_can_count_is_unknown_and_the_rest_is_shown(scene: Scene, engine: str, why: str) -> None:
    publish(scene, engine, [f"amqp://{NOWHERE}"])

    ran = status(scene)

    assert ran.code == ExitCode.PARTLY
    assert letters(ran) == {"orders": {"orders.dlq": None}, "bills": {"bills-dlq": 1}}
    assert waiting(ran) == (None, None)
    for queue in ("queue orders", "dead-letter queue orders.dlq"):
        problem = f"orders: its {queue}: CloudWatch has no count of the last ten minutes{why}"
        assert problem in ran.stderr.splitlines()
    shown = scene.run("--stack", "dev", "status").stdout
    assert re.search(r"orders +broker-worker +\? .*orders\.dlq \?", shown), shown


def test_a_refusal_of_cloudwatch_is_told_as_it_is(scene: Scene) -> None:
    publish(scene, "rabbitmq", [f"amqp://{NOWHERE}"])
    with FaultsProxy(scene.account.endpoint_url) as proxy:
        scene.through(proxy.url)
        proxy.inject("GetMetricStatistics", Fault.ACCESS_DENIED, times=None)
        ran = status(scene)
    assert ran.code == ExitCode.PARTLY
    for queue in ("queue orders", "dead-letter queue orders.dlq"):
        assert f"orders: its {queue}: AWS refused the request" in ran.stderr
    assert letters(ran)["bills"] == {"bills-dlq": 1}


def publish_topic(scene: Scene, servers: str) -> None:
    kafka = {
        "cluster": "main",
        "cluster_arn": "arn:aws:kafka:ap-southeast-2:1:cluster/main/u",
        "bootstrap_servers": servers,
        "topic": "orders",
        "topic_arn": "arn:aws:kafka:ap-southeast-2:1:topic/main/u/orders",
        "partitions": 4,
        "group": "billing",
        "dead_letter_topic": "orders.billing.dead-letters",
    }
    dlq = scene.queue_ref(scene.queue("billing-dlq"), holds="records")
    scene.publish_pattern("billing", {"pattern": "kafka-worker", "kafka": kafka, "dead_letter_queues": [dlq]})


def test_a_topic_out_of_reach_is_unknown_and_no_failure(scene: Scene) -> None:
    publish_topic(scene, NOWHERE)

    ran = status(scene)

    assert ran.code == ExitCode.OK, ran.stderr
    assert letters(ran) == {"billing": {"billing-dlq": 0, "orders.billing.dead-letters": None}}
    assert "a dead-letter topic are shown where `ops` runs in that network" in ran.stderr


def test_brokers_that_take_the_connection_and_do_not_answer_are_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("ops.actions.streams.partitions", "ops.actions.replay.dead_letter_topic"):
        monkeypatch.setattr(f"{module}._TIMEOUT_SECONDS", 0.5)
    no_kafka = scene.account.endpoint_url.removeprefix("http://")
    publish_topic(scene, f"PLAINTEXT://{no_kafka}")

    ran = status(scene)

    assert ran.code == ExitCode.PARTLY
    assert letters(ran) == {"billing": {"billing-dlq": 0, "orders.billing.dead-letters": None}}
    assert "billing: the topic orders.billing.dead-letters: " in ran.stderr
