"""Records of Kafka that could not be handled go back to their topic, with key and headers, for one application."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from contracts.messages import FAILURE, REPLAY, STREAM_POSITION, Failure, RecordBody, StreamPosition
from ops.exit_codes import ExitCode
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
        """Every record that is there when this is called, by partition and offset; a replay may be adding more."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "test", "enable.auto.commit": False})
        expected, starts = 0, []
        ends: dict[int | None, int] = {}
        for number in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(TopicPartition(self.name, number), timeout=10)
            starts.append(TopicPartition(self.name, number, low))
            expected += high - low
            ends[number] = high
        consumer.assign(starts)
        found: list[Any] = []
        deadline = time.monotonic() + 20
        while len(found) < expected and time.monotonic() < deadline:
            for message in consumer.consume(100, timeout=0.2):
                if message.error() is None and (message.offset() or 0) < ends[message.partition()]:
                    found.append(message)
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


def _letters(topic: Topic, origin: Topic, bodies: list[bytes]) -> list[Any]:
    """What a worker writes to its dead-letter topic."""
    failure = Failure(
        error="KeyError", message="'x'", receive_count=3, retryable=True, queue_arn=origin.arn, failed_at="2026-11-27"
    )
    records: list[Any] = []
    for number, body in enumerate(bodies):
        position = StreamPosition(
            stream_arn=origin.arn,
            shard_id=f"{origin.name}/0",
            sequence_number=str(number),
            partition_key="",
            arrived_at="2026-11-20T10:00:00Z",
            body=RecordBody.TEXT,
            application="billing",
        )
        headers = [
            ("trace", f"t{number}".encode()),
            (FAILURE, failure.to_json().encode()),
            (STREAM_POSITION, position.to_json().encode()),
        ]
        records.append((f"g{number % 5}".encode(), body, headers))
    return topic.produce(records)


def _pattern(scene: Scene, origin: Topic, dead: Topic) -> None:
    kafka = {
        "cluster": "main",
        "cluster_arn": origin.arn.replace(":topic/", ":cluster/").rsplit("/", 1)[0],
        "bootstrap_servers": f"PLAINTEXT://{origin.address}",
        "topic": origin.name,
        "topic_arn": origin.arn,
        "partitions": PARTITIONS,
        "group": "billing",
        "dead_letter_topic": dead.name,
    }
    dlq = scene.queue_ref(scene.queue("billing-dlq"), holds="records", origin_arn=origin.arn)
    scene.publish_pattern("billing", {"pattern": "kafka-worker", "kafka": kafka, "dead_letter_queues": [dlq]})


def _topics(scene: Scene) -> tuple[Topic, Topic]:
    origin = Topic(scene)
    dead = Topic.__new__(Topic)
    dead.address, dead.name, dead.arn = (
        origin.address,
        "orders.billing.dead-letters",
        f"{origin.arn}.billing.dead-letters",
    )
    origin.produce([(b"g", b"{}", [])])
    _pattern(scene, origin, dead)
    return origin, dead


def test_a_dead_letter_topic_is_looked_into_and_replayed_once(scene: Scene) -> None:
    origin, dead = _topics(scene)
    bodies = [json.dumps(event(n)).encode() for n in range(25)]
    _letters(dead, origin, [*bodies, b"no event"])
    words = ("billing", "--dlq", dead.name, "--output", "json")

    peeked = scene.run("--stack", "dev", "peek-dlq", *words)
    rows = json.loads(peeked.stdout)
    assert (peeked.code, len(rows)) == (0, 26), peeked.stderr
    assert {row["error"] for row in rows} == {"KeyError"}
    dry = scene.run("--stack", "dev", "replay-dlq", *words, "--dry-run")
    assert (dry.code, dry.last["found"], dry.last["moved"]) == (0, 26, 0), dry.stderr
    assert dry.last["queues"][0]["destinations"] == {"topic orders": 25}
    few = scene.run("--stack", "dev", "replay-dlq", *words, "--yes", "--max", "10")
    assert few.code in (ExitCode.OK, ExitCode.PARTLY)
    assert few.last["moved"] + few.last["skipped"] == 10

    ran = scene.run("--stack", "dev", "replay-dlq", *words, "--yes")

    # THEN every event went back once, for the one application, and what is no event was kept
    assert ran.code in (ExitCode.OK, ExitCode.PARTLY)
    assert few.last["moved"] + ran.last["moved"] == 25
    assert few.last["duplicates_possible"] == ran.last["duplicates_possible"] == 0
    again = [message for message in origin.read() if message.value() != b"{}"]
    got = {json.loads(message.value())["id"]: message for message in again}
    assert len(again) == len(got) == 25
    for number in range(25):
        message = got[event(number)["id"]]
        assert json.loads(message.value())[REPLAY] == {"for": "billing", "count": 1}
        assert (message.key(), message.headers()) == (f"g{number % 5}".encode(), [("trace", f"t{number}".encode())])
    last = scene.run("--stack", "dev", "replay-dlq", *words, "--yes")
    assert (last.code, last.last["moved"], last.last["skipped"]) == (ExitCode.PARTLY, 0, 1)
    assert "it is no JSON object" in last.stderr
    kept = json.loads(scene.run("--stack", "dev", "peek-dlq", *words).stdout)
    assert [row["body"] for row in kept] == ["no event"]


def test_status_counts_what_no_replay_has_given_back(scene: Scene) -> None:
    origin, dead = _topics(scene)

    def counted() -> int | None:
        ran = scene.run("--stack", "dev", "status", "billing", "--output", "json")
        assert ran.code == ExitCode.OK, ran.stderr
        count: int | None = json.loads(ran.stdout)[0]["dead_letters"][dead.name]
        return count

    assert counted() == 0
    _letters(dead, origin, [json.dumps(event(n)).encode() for n in range(9)])
    assert counted() == 9
    assert counted() == 9  # looking commits nothing
    words = ("billing", "--dlq", dead.name, "--yes", "--output", "json")
    few = scene.run("--stack", "dev", "replay-dlq", *words, "--max", "4")
    assert (few.last["moved"], counted()) == (4, 5)
    assert scene.run("--stack", "dev", "replay-dlq", *words).code == ExitCode.OK
    assert counted() == 0


@pytest.mark.parametrize("option", [["--copy"], ["--where", "error == 'x'"], ["--edit", "{}"], ["--engine", "native"]])
def test_a_topic_cannot_do_what_a_queue_can(scene: Scene, option: list[str]) -> None:
    _, dead = _topics(scene)

    ran = scene.run("--stack", "dev", "replay-dlq", "billing", "--dlq", dead.name, "--yes", *option)

    assert ran.code == ExitCode.USAGE
    assert "topics and queues of brokers are replayed in order and as they are: not with" in ran.stderr


def test_a_wrong_name_is_answered_with_the_queue_and_the_topic(scene: Scene) -> None:
    _, dead = _topics(scene)

    ran = scene.run("--stack", "dev", "peek-dlq", "billing", "--dlq", "none")

    assert ran.code == ExitCode.USAGE
    assert f"it has: billing-dlq, {dead.name}" in ran.stderr


@pytest.mark.soak
def test_a_killed_replay_of_a_topic_loses_nothing(scene: Scene) -> None:
    origin, dead = _topics(scene)
    _letters(dead, origin, [json.dumps(event(n)).encode() for n in range(300)])
    words = ("--stack", "dev", "replay-dlq", "billing", "--dlq", dead.name, "--yes", "--output", "json")
    kills = 0
    for _ in range(4):
        run = scene.start(*words, "--rate", "30")  # slow enough that a look, which takes longest, is in time
        before = len(origin.read())
        while run.poll() is None and len(origin.read()) < before + 15:
            time.sleep(0.01)
        kills += run.poll() is None
        run.kill()
        run.communicate()
    assert kills >= 3

    ran = scene.run(*words)

    assert ran.code == 0, ran.stderr
    arrived = Counter(json.loads(one.value())["id"] for one in origin.read() if one.value() != b"{}")
    assert set(arrived) == {event(n)["id"] for n in range(300)}
    # At this rate a batch has ten records at most.
    assert arrived.total() - 300 <= kills * 10
