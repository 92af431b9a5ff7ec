"""`kafka-worker` from `ops local up` on: topics, tasks that follow the lag to zero and back, dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from contracts.manifest import KafkaRef, PatternManifest
from tests.local.deployed import Deployed, deployed, eventually, order, orders_settings

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    root = tmp_path_factory.mktemp("kafka")
    handler = orders_settings(root)["handler"]
    settings = {
        "pattern": "kafka-worker",
        "cluster": "main",
        "topic": "orders",
        "handler": handler,
        "reading": {"session_seconds": 6, "max_attempts": 2},
        "scaling": {"acceptable_latency_seconds": 60, "processing_seconds": 2, "min": 0, "max": 2},
    }
    cluster = {
        "kind": "provisioned",
        "instance_type": "kafka.t3.small",
        "storage_gib": 10,
        "max_storage_gib": 10,
        "topics": {"orders": {"partitions": 4}},
    }
    with deployed(root, settings, shared={"eda:kafka": {"main": cluster}}) as environment:
        yield environment


def kafka_of(manifest: PatternManifest) -> KafkaRef:
    assert manifest.kafka is not None
    return manifest.kafka


def produce(stack: Deployed, events: list[dict[str, object]]) -> None:
    kafka = kafka_of(stack.manifest)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number, event in enumerate(events):
        producer.produce(kafka.topic, key=f"channel-{number % 5}", value=json.dumps(event))
    assert producer.flush(30) == 0


def test_events_are_handled_and_the_service_rests_and_wakes(stack: Deployed) -> None:
    events = [order() for _ in range(40)]
    produce(stack, [*events, order(name="poison")])
    eventually(lambda: len(stack.effects()) >= 40, 60, stack.effects)
    (letters,) = stack.manifest.dead_letter_queues
    eventually(lambda: stack.depth(letters.url) == 1, 20, lambda: stack.depth(letters.url))
    eventually(lambda: stack.counts() == (0, 0), 60, stack.counts)

    more = [order() for _ in range(40)]
    produce(stack, more)
    eventually(lambda: len(stack.effects()) >= 80, 60, stack.effects)
    keys = {event["detail"]["metadata"]["idempotency-key"] for event in [*events, *more]}
    assert stack.effects() == dict.fromkeys(keys, 1)
