from __future__ import annotations

import json
from typing import Any

import pytest

from components.config import SettingsError, StackSettings, parse
from components.config.kafka import KafkaKind
from components.config.kafka_worker import KafkaWorkerSettings, Order, Start

HANDLER = {"image": "registry/worker:1"}


def settings(
    worker: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, **stack: Any
) -> StackSettings:
    """Parse a stack with one cluster `main` (topic `orders`) and one worker of it."""
    config: dict[str, Any] = {
        "kafka": {"main": {"topics": {"orders": {}}, **(cluster or {})}},
        "patterns": {
            "billing": {
                "pattern": "kafka-worker",
                "cluster": "main",
                "topic": "orders",
                "handler": HANDLER,
                **(worker or {}),
            }
        },
        **stack,
    }
    return parse({key: json.dumps(value) for key, value in config.items()}, "dev")


def problems(*arguments: Any, **stack: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        settings(*arguments, **stack)
    return caught.value.problems


def test_the_smallest_stack_gets_the_documented_defaults():
    stack = settings()
    worker = stack.patterns["billing"]
    assert isinstance(worker, KafkaWorkerSettings)
    cluster = stack.kafka["main"]
    assert (cluster.kind, cluster.kafka_version, cluster.storage_gib) == (KafkaKind.SERVERLESS, "3.9.x.kraft", 100)
    assert (cluster.topics["orders"].partitions, cluster.topics["orders"].retention_hours) == (4, 168)
    assert worker.group is None
    assert (worker.reading.start, worker.reading.order) == (Start.EARLIEST, Order.KEY)
    assert (worker.reading.max_attempts, worker.reading.session_seconds) == (5, 45)
    assert worker.reading.dead_letter_topic is True
    assert (worker.scaling.min, worker.scaling.max) == (0, None)


@pytest.mark.parametrize(
    ("worker", "cluster", "stack", "expected"),
    [
        ({"cluster": "other"}, {}, {}, "patterns.billing.cluster: there is no Kafka cluster 'other'; allowed: main"),
        ({"topic": "other"}, {}, {}, "patterns.billing.topic: 'main' has no topic 'other'; allowed: orders"),
        (
            {"scaling": {"max": 5}},
            {},
            {},
            "patterns.billing.scaling: allows 5 tasks, more than the 4 partitions of 'orders': a partition has one "
            "worker at a time; lower it or raise partitions",
        ),
        (
            {"scaling": {"min": 3, "max": 2}},
            {},
            {},
            "patterns.billing.scaling.max: is 2, less than min (3); lower min or raise max",
        ),
        (
            {"scaling": {"acceptable_latency_seconds": 1, "processing_seconds": 2}},
            {},
            {},
            "patterns.billing.scaling.processing_seconds: is 2, more than acceptable_latency_seconds (1): no number of "
            "tasks can be that fast; raise the latency",
        ),
        (
            {"reading": {"session_seconds": 5}},
            {},
            {},
            "patterns.billing.reading.session_seconds: got 5; allowed: a whole number from 6 to 300 seconds that the "
            "partitions of a killed task stay unattended; default 45",
        ),
        (
            {},
            {"brokers": 2},
            {},
            "kafka.main: brokers: needs kind: provisioned; a serverless cluster has no such thing",
        ),
        (
            {},
            {"kind": "provisioned", "brokers": 3},
            {},
            "kafka.main.brokers: is 3; allowed: a multiple of the 2 zones of eda:network",
        ),
        (
            {},
            {"kind": "provisioned", "storage_gib": 100, "max_storage_gib": 10},
            {},
            "kafka.main: max_storage_gib is 10, less than storage_gib (100); raise it",
        ),
        (
            {},
            {},
            {"network": {"vpc_id": "vpc-0a", "subnet_ids": ["subnet-1"]}},
            "kafka.main.network: eda:network has 1 subnet_ids; MSK needs 2 or 3, in other zones",
        ),
        (
            {},
            {"kind": "provisioned", "kafka_version": "3.6.0"},
            {},
            "kafka.main.kafka_version: got '3.6.0'; allowed: with kind: provisioned: 3.7.x.kraft or later; never "
            "lowered; default 3.9.x.kraft",
        ),
    ],
)
def test_each_mistake_is_one_line(
    worker: dict[str, Any], cluster: dict[str, Any], stack: dict[str, Any], expected: str
):
    assert problems(worker, cluster, **stack) == (expected,)


def test_a_cluster_has_a_name_that_aws_accepts():
    (problem,) = problems(kafka={"Main_": {"topics": {"orders": {}}}}, patterns={})
    assert problem.startswith("kafka.Main_: ")
