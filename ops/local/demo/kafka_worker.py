"""The demo of the pattern `kafka-worker`: records of a Kafka topic, in order for each key."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from contracts.events import Event
from contracts.manifest import KafkaRef, PatternManifest
from ops.local.demo.consumers import await_consumers, make_events
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "kafka-worker"
_EVENTS = 40
_KIND = {"source": ["till.service.com"], "detail-type": ["OrderCreated"]}
_FLUSH_SECONDS = 20.0


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this Kafka worker has no demo; None when it has one."""
    if manifest.kafka is None or manifest.idempotency_table is None:
        return "it lacks a topic or an idempotency table"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Every record is handled once by the consumer group."""
    assert manifest.kafka
    events = make_events(_KIND, _EVENTS)
    begun = time.monotonic()
    stage.show(f"producing {len(events)} records")
    sent = _produce(manifest.kafka, events)
    return await_consumers(
        stage,
        manifest,
        events,
        {manifest.name: (manifest, {event.idempotency_key for event in events})},
        path="producer → topic → tasks",
        begun=begun,
        sent=sent,
    )


def _produce(kafka: KafkaRef, events: Sequence[Event]) -> int:
    """Write the events to the topic, keyed by channel; answers how many the broker confirmed."""
    from confluent_kafka import Producer

    confirmed: list[object] = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    for event in events:
        producer.produce(
            kafka.topic,
            key=str(event.data["channel-id"]),
            value=json.dumps(event.to_envelope()),
            on_delivery=lambda error, record: None if error else confirmed.append(record),
        )
    producer.flush(_FLUSH_SECONDS)
    return len(confirmed)
