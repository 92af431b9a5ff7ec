"""Records of Kafka that could not be handled go back to their topic, with key and headers, for one application."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from contracts.messages import REPLAY, Failure
from tests.ops.actions.replay.targets import event
from tests.ops.local.server.test_msk_api import provisioned
from tests.ops.scene import Scene
from worker.sources.stream.on_failure import message_of
from worker.sources.stream.records import Record

PARTITIONS = 4


class Topic:
    """A topic on a cluster of the scene's account."""

    def __init__(self, scene: Scene, name: str = "orders") -> None:
        cluster, self.address = provisioned(scene.account)
        self.name = name
        self.arn: str = cluster.replace(":cluster/", ":topic/") + f"/{name}"

    def produce(self, records: list[tuple[bytes | None, bytes, list[tuple[str, Any]]]]) -> list[Any]:
        """Partition and offset of each."""
        producer = Producer({"bootstrap.servers": self.address, "message.timeout.ms": 10_000})
        reports: list[Any] = []
        for key, value, headers in records:
            producer.produce(
                self.name, key=key, value=value, headers=headers, on_delivery=lambda _, message: reports.append(message)
            )
            assert producer.flush(15) == 0
        return reports

    def read(self) -> list[Any]:
        """Every record, by partition and offset."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "test", "enable.auto.commit": False})
        expected, starts = 0, []
        for number in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(TopicPartition(self.name, number), timeout=10)
            starts.append(TopicPartition(self.name, number, low))
            expected += high - low
        consumer.assign(starts)
        found: list[Any] = []
        deadline = time.monotonic() + 20
        while len(found) < expected and time.monotonic() < deadline:
            found += [message for message in consumer.consume(100, timeout=0.2) if message.error() is None]
        consumer.close()
        assert len(found) == expected
        return sorted(found, key=lambda message: (message.partition(), message.offset()))


def _dead_letter(scene: Scene, dlq: str, topic: Topic, place: tuple[int, int], key: str, data: bytes) -> None:
    partition, offset = place
    record = Record(sequence_number=str(offset), partition_key=key, data=data, arrived_at=datetime.now(UTC))
    failure = Failure(
        error="KeyError", message="'x'", receive_count=3, retryable=True, queue_arn=topic.arn, failed_at="2026-11-27"
    )
    message = message_of(record, f"{topic.name}/{partition}", topic.arn, failure, "billing")
    scene.sqs.send_message(QueueUrl=dlq, **message)


def test_records_go_back_to_their_topic_with_key_and_headers(scene: Scene) -> None:
    topic, dlq = Topic(scene), scene.queue("billing-dlq")
    records: list[Any] = [
        (f"g{n % 3}".encode(), json.dumps(event(n)).encode(), [("trace", f"t{n}".encode())]) for n in range(12)
    ]
    for (key, value, _), report in zip(records, topic.produce(list(records)), strict=True):
        _dead_letter(scene, dlq, topic, (report.partition(), report.offset()), key.decode(), value)

    report = scene.replay(dlq, manifest_origin=topic.arn)

    assert (report.found, report.moved, report.skipped, report.failed) == (12, 12, 0, 0), report.reasons
    assert report.destinations == {"topic orders": 12}
    assert scene.counts(dlq) == (0, 0)
    again = [message for message in topic.read() if REPLAY in json.loads(message.value())]
    got = {json.loads(message.value())["id"]: message for message in again}
    assert len(again) == len(got) == 12
    for n, (key, value, headers) in enumerate(records):
        message = got[event(n)["id"]]
        assert json.loads(message.value()) == {**json.loads(value), REPLAY: {"for": "billing", "count": 1}}
        assert (message.key(), message.headers()) == (key, headers)


def test_what_the_topic_no_longer_has_comes_from_the_copy(scene: Scene) -> None:
    topic, dlq = Topic(scene), scene.queue("billing-dlq")
    topic.produce([(b"g", b"{}", [])])
    _dead_letter(scene, dlq, topic, (0, 1_000_000), "g", json.dumps(event(1)).encode())
    _dead_letter(scene, dlq, topic, (0, 1_000_001), "", json.dumps(event(2)).encode())

    assert scene.replay(dlq).moved == 2

    again = {json.loads(one.value())["id"]: one.key() for one in topic.read() if REPLAY in json.loads(one.value())}
    assert again == {event(1)["id"]: b"g", event(2)["id"]: None}


def test_brokers_that_cannot_be_reached_keep_the_records(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, dlq = Topic(scene), scene.queue("billing-dlq")
    _dead_letter(scene, dlq, topic, (0, 0), "g", json.dumps(event(1)).encode())
    monkeypatch.setattr("ops.actions.replay.destinations.directory.reachable", lambda servers: False)

    report = scene.replay(dlq)

    assert (report.moved, report.failed) == (0, 1)
    assert next(iter(report.reasons)).startswith(
        "the brokers of main answer in their own network only: run `ops` there"
    )
    assert scene.counts(dlq) == (1, 0)
