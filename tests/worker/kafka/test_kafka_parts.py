"""The parts of the source `kafka` by themselves."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from contracts.messages import FAILURE, STREAM_POSITION, Failure, RecordBody, StreamPosition
from worker.errors import SettingsError
from worker.sources.kafka.assignment import Assignment, Keys, crashes_in
from worker.sources.kafka.client import consumer_configuration
from worker.sources.kafka.dead_letters import DeadLetters, DeadLetterTopic
from worker.sources.kafka.records import KafkaRecord, text_of
from worker.sources.kafka.settings import NewTopic, Order, Start, read
from worker.sources.kafka.topics import Admin, ensure_topics
from worker.sources.stream.holding import WorkerCrashedError
from worker.sources.stream.lanes import Lanes
from worker.sources.stream.on_failure import message_of
from worker.sources.stream.records import Record

SMALLEST = {
    "KAFKA_BOOTSTRAP_SERVERS": "b-1:9098,b-2:9098",
    "KAFKA_TOPIC": "orders",
    "KAFKA_GROUP": "billing",
    "DEAD_LETTER_QUEUE_URL": "https://sqs/q",
}


def record(offset: int, key: bytes | None = b"g", lane: str = "g") -> KafkaRecord:
    return KafkaRecord(
        sequence_number=str(offset),
        partition_key=text_of(key),
        data=b"{}",
        arrived_at=datetime(2026, 1, 1, tzinfo=UTC),
        offset=offset,
        key=key,
        headers=(("trace", b"1"), (FAILURE, b"old")),
        lane=lane,
    )


def assignment(position: int | None = 10, crashes: int = 0, batch_size: int = 2) -> Assignment:
    return Assignment(
        "orders",
        3,
        position,
        crashes=crashes,
        keys=Keys(),
        batch_size=batch_size,
        max_attempts=1,
        session_seconds=6,
    )


def settle_next(lanes: Lanes[Assignment]) -> str:
    work = lanes.take()
    assert work is not None
    work.owner.progress.settle(work.record)
    lanes.finish(work)
    return work.record.sequence_number


# -- settings ------------------------------------------------------------------------------------------------------


def test_the_smallest_settings_have_the_documented_defaults():
    settings = read(SMALLEST)
    assert settings.authenticated
    assert (settings.topic_arn, settings.session_seconds, settings.batch_size) == ("orders", 45, 500)
    assert (settings.start, settings.order, settings.max_attempts) == (Start.EARLIEST, Order.KEY, 5)
    assert not read({**SMALLEST, "KAFKA_BOOTSTRAP_SERVERS": "PLAINTEXT://a:1,PLAINTEXT://b:1"}).authenticated


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"KAFKA_TOPIC": ""}, "KAFKA_TOPIC: not set; set it to the topic to consume"),
        ({"KAFKA_TOPIC": "a/b"}, "KAFKA_TOPIC: 'a/b' is malformed; allowed: 1 to 249 letters, digits and . _ -"),
        ({"KAFKA_GROUP": ""}, "KAFKA_GROUP: not set; set it to the name of the consumer group"),
        ({"KAFKA_DEAD_LETTER_TOPIC": "orders"}, "KAFKA_DEAD_LETTER_TOPIC: 'orders' is the topic that is consumed;"),
        ({"DEAD_LETTER_QUEUE_URL": ""}, "KAFKA_DEAD_LETTER_TOPIC, DEAD_LETTER_QUEUE_URL: neither is set; set one:"),
        ({"KAFKA_START": "now"}, "KAFKA_START: 'now' is unknown; allowed: earliest, latest"),
        ({"KAFKA_ORDER": "no"}, "KAFKA_ORDER: 'no' is unknown; allowed: key, partition"),
        ({"KAFKA_SESSION_SECONDS": "5"}, "KAFKA_SESSION_SECONDS: 5 is out of range; allowed: 6 to 300"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "PLAINTEXT://a:1,b:2"}, "KAFKA_BOOTSTRAP_SERVERS: 'PLAINTEXT://a:1,b:2' mixes"),
        ({"KAFKA_CREATE_TOPICS": '[{"name": "a"}]'}, "KAFKA_CREATE_TOPICS: malformed (KeyError: 'partitions');"),
        ({"KAFKA_CREATE_TOPICS": "no"}, "KAFKA_CREATE_TOPICS: malformed (JSONDecodeError:"),
    ],
)
def test_each_mistake_is_one_line(changes: dict[str, str], line: str):
    with pytest.raises(SettingsError) as caught:
        read({**SMALLEST, **changes})
    (found,) = caught.value.lines
    assert found.startswith(line)


def test_with_msk_every_client_uses_iam_over_tls():
    configuration = consumer_configuration(read(SMALLEST), "ap-southeast-2")
    assert (configuration["security.protocol"], configuration["sasl.mechanisms"]) == ("SASL_SSL", "OAUTHBEARER")
    assert configuration["enable.auto.offset.store"] is False
    assert configuration["partition.assignment.strategy"] == "cooperative-sticky"
    plain = consumer_configuration(read({**SMALLEST, "KAFKA_BOOTSTRAP_SERVERS": "PLAINTEXT://a:1"}), "x")
    assert "security.protocol" not in plain


def test_a_token_is_signed_with_the_tasks_credentials(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    token, ends_at = consumer_configuration(read(SMALLEST), "ap-southeast-2")["oauth_cb"](None)
    assert token
    assert 800 < ends_at - datetime.now(UTC).timestamp() <= 900


# -- records -------------------------------------------------------------------------------------------------------


def message(key: bytes | None, offset: int = 7) -> Any:
    values = {"key": key, "value": b"v", "offset": offset, "timestamp": (1, 5000), "headers": [("a", b"1")]}
    return SimpleNamespace(**{name: (lambda value=value: value) for name, value in values.items()})


def test_records_without_a_key_are_in_no_order_unless_the_partition_is():
    lanes = [KafkaRecord.from_message(message(None, offset), Order.KEY).lane_key for offset in (1, 2)]
    assert lanes[0] != lanes[1]
    assert KafkaRecord.from_message(message(b"g"), Order.KEY).lane_key == "g"
    whole = {KafkaRecord.from_message(message(key), Order.PARTITION).lane_key for key in (None, b"a", b"b")}
    assert len(whole) == 1


@pytest.mark.parametrize("key", [b"", b"plain", "Pizzería".encode(), b"\xff\x00\xfe"])
def test_every_key_survives_as_text(key: bytes):
    found = KafkaRecord.from_message(message(key), Order.KEY)
    assert found.partition_key.encode(errors="surrogateescape") == key
    assert json.loads(json.dumps(found.partition_key)) == found.partition_key
    assert (found.key, found.offset, found.arrived_at.timestamp()) == (key, 7, 5)


# -- assignments ---------------------------------------------------------------------------------------------------


def test_only_a_settled_prefix_is_committed():
    held, lanes = assignment(), Lanes[Assignment]()
    for offset in (10, 12, 15):
        held.accept(record(offset, lane=str(offset)))
    held.feed(lanes)
    works = [lanes.take() for _ in range(3)]
    assert held.done() is None
    for position, expected in ((1, None), (0, 13), (2, 16)):
        work = works[position]
        assert work is not None
        held.progress.settle(work.record)
        done = held.done()
        assert (done[0].offset if done else None) == expected
        if done:
            held.committed(*done[1:])
    assert held.done() is None


def test_no_more_than_twice_the_batch_is_in_hand():
    held, lanes = assignment(), Lanes[Assignment]()
    for offset in range(10, 20):
        held.accept(record(offset))
    held.feed(lanes)
    assert held.full
    assert [settle_next(lanes) for _ in range(4)] == ["10", "11", "12", "13"]
    held.leave()
    assert not held.full
    held.accept(record(99))
    assert not held.full, "a record for somebody else was taken"


def test_a_mark_is_written_with_the_first_record_and_taken_back_without_progress():
    held = assignment(crashes=1)
    assert held.mark() is None, "nothing is in hand"
    held.accept(record(10))
    mark = held.mark()
    assert mark is not None
    assert (mark.offset, mark.metadata, crashes_in(mark.metadata)) == (10, "crashes=2", 2)
    assert held.mark() is None
    unmark = held.unmark()
    assert unmark is not None
    assert (unmark.offset, unmark.metadata) == (10, "crashes=1")
    held.feed(lanes := Lanes[Assignment]())
    settle_next(lanes)
    assert held.unmark() is None
    done = held.done()
    assert done is not None
    assert (done[0].offset, done[0].metadata) == (11, "")


@pytest.mark.parametrize(("metadata", "crashes"), [(None, 0), ("", 0), ("crashes=3", 3), ("crashes=x", 0), ("3", 0)])
def test_metadata_of_others_counts_nothing(metadata: str | None, crashes: int):
    assert crashes_in(metadata) == crashes


def test_each_vanished_owner_leaves_fewer_in_hand_until_one_is_given_up():
    in_hand = []
    for crashes in range(4):
        held, lanes = assignment(crashes=crashes), Lanes[Assignment]()
        for offset in range(10, 20):
            held.accept(record(offset, lane=str(offset)))
        held.feed(lanes)
        lanes.drop(held)
        in_hand.append(10 - len(held._pending))
        if crashes == 3:
            held, lanes = assignment(crashes=crashes), Lanes[Assignment]()
            held.accept(record(10))
            held.feed(lanes)
            work = lanes.take()
            assert work is not None
            assert isinstance(work.given_up, WorkerCrashedError)
            assert "from offset 10 on" in str(work.given_up)
    assert in_hand == [4, 2, 1, 1]


def test_a_lost_partition_has_no_time_left():
    held = assignment()
    assert held.remaining_seconds() == 6
    held.leave(lost=True)
    assert held.remaining_seconds() == 0
    assert held.draining.is_set()


def test_a_key_in_hand_twice_is_kept_until_both_are_done():
    keys = Keys()
    keys.add("k")
    keys.add("k")
    keys.discard("k")
    assert keys.all() == ["k"]
    keys.discard("k")
    assert keys.all() == []


# -- dead letters --------------------------------------------------------------------------------------------------


class FakeProducer:
    """Answers each record with the next of `answers`: an error, None (written), or an exception of produce itself."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.sent: list[dict[str, Any]] = []
        self.reports: list[Any] = []

    def produce(self, topic: str, **arguments: Any) -> None:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.sent.append({"topic": topic, **arguments})
        self.reports.append((arguments["on_delivery"], answer))

    def poll(self, timeout: float) -> int:
        while self.reports:
            report, answer = self.reports.pop()
            report(answer, None)
        return 0


def letters(producer: FakeProducer) -> DeadLetterTopic:
    return DeadLetterTopic(cast("Producer", producer), "orders.dead-letters", "arn:topic/orders")


def test_a_dead_letter_is_the_record_with_reason_and_origin():
    producer = FakeProducer(None)
    assert letters(producer).put(record(17), "orders/3", ValueError("bad"), attempts=2, retryable=True)
    (sent,) = producer.sent
    assert (sent["topic"], sent["key"], sent["value"]) == ("orders.dead-letters", b"g", b"{}")
    headers = dict(sent["headers"])
    assert [name for name, _ in sent["headers"]] == ["trace", FAILURE, STREAM_POSITION]
    failure = Failure.from_json(headers[FAILURE].decode())
    assert failure is not None
    assert (failure.error, failure.message, failure.receive_count, failure.retryable) == ("ValueError", "bad", 2, True)
    position = StreamPosition.from_json(headers[STREAM_POSITION].decode())
    assert position is not None
    assert (position.stream_arn, position.shard_id, position.sequence_number) == ("arn:topic/orders", "orders/3", "17")


def on_failure_message(key: bytes | None, *headers: tuple[str, bytes | None]) -> tuple[dict[str, Any], StreamPosition]:
    subject = replace(record(17), key=key, partition_key=text_of(key), headers=headers)
    failure = Failure(error="E", message="m", receive_count=1, retryable=True, queue_arn="arn", failed_at="now")
    made = message_of(subject, "orders/3", "arn:topic/orders", failure)
    position = StreamPosition.from_json(made["MessageAttributes"][STREAM_POSITION]["StringValue"])
    assert position is not None
    return made, position


@pytest.mark.parametrize("key", [None, b"", b"g", b"\xff\x00"])
def test_key_and_headers_can_be_had_again_from_the_on_failure_queue(key: bytes | None):
    made, position = on_failure_message(key, ("trace", b"\xff"), ("trace", None), ("empty", b""))
    assert made["MessageBody"] == "{}"
    assert (None if position.keyless else position.partition_key.encode(errors="surrogateescape")) == key
    assert position.headers == (("trace", "/w=="), ("trace", None), ("empty", ""))


def test_a_key_or_headers_that_are_too_large_stay_in_the_topic():
    for made, position in (on_failure_message(b"\xff" * 200_000), on_failure_message(b"g", ("h", b"x" * 900_000))):
        assert (position.body, position.headers, position.sequence_number) == (RecordBody.REFERENCE, (), "17")
        assert StreamPosition.from_json(made["MessageBody"]) == position
        assert len(json.dumps(made)) < 10_000


@pytest.mark.parametrize(
    "answer",
    [
        KafkaError(KafkaError._MSG_TIMED_OUT),
        BufferError("full"),
        KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)),
    ],
)
def test_a_record_that_is_not_written_is_told(answer: object):
    assert not letters(FakeProducer(answer)).put(record(1), "orders/3", ValueError("x"), attempts=1, retryable=True)


def test_a_retry_asks_only_those_that_have_not_got_it():
    class Place:
        def __init__(self, *answers: bool) -> None:
            self.answers = list(answers)
            self.calls = 0

        def put(self, record: Record, shard_id: str, error: Exception, *, attempts: int, retryable: bool) -> bool:
            self.calls += 1
            return self.answers.pop(0)

    topic, queue = Place(True, True), Place(False, True, True)
    places = DeadLetters(topic, queue)
    one, other = record(1), record(1)
    assert not places.put(one, "orders/3", ValueError(), attempts=1, retryable=True)
    assert places.put(one, "orders/3", ValueError(), attempts=1, retryable=True)
    assert (topic.calls, queue.calls) == (1, 2)
    assert places.put(other, "orders/3", ValueError(), attempts=1, retryable=True)
    assert (topic.calls, queue.calls) == (2, 3)


# -- topics --------------------------------------------------------------------------------------------------------


class FakeAdmin:
    """A cluster with `topics`; creating one answers `error`, and `then` is what is there afterwards."""

    def __init__(self, topics: set[str], error: Exception | None = None, then: set[str] | None = None) -> None:
        self.topics, self.error, self.then = topics, error, then
        self.created: list[Any] = []

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        return SimpleNamespace(topics={name: SimpleNamespace(error=None) for name in self.topics})

    def create_topics(self, new_topics: list[Any], **options: Any) -> dict[str, Future[None]]:
        self.created += new_topics
        self.topics = self.topics | {item.topic for item in new_topics} if self.error is None else self.then or set()
        answers: dict[str, Future[None]] = {}
        for item in new_topics:
            answers[item.topic] = Future()
            if self.error:
                answers[item.topic].set_exception(self.error)
            else:
                answers[item.topic].set_result(None)
        return answers


TOPICS = [NewTopic(name=name, partitions=6, replication_factor=3, configuration={"a": "b"}) for name in ("x", "y")]


def test_only_what_is_missing_is_created():
    admin = FakeAdmin({"x"})
    assert ensure_topics(cast("Admin", admin), TOPICS)
    (made,) = admin.created
    assert (made.topic, made.num_partitions, made.replication_factor, made.config) == ("y", 6, 3, {"a": "b"})
    assert ensure_topics(cast("Admin", admin), TOPICS)
    assert len(admin.created) == 1


def test_another_task_may_be_first_and_a_refusal_is_tried_again():
    exists = KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS))
    assert ensure_topics(cast("Admin", FakeAdmin(set(), exists, {"x", "y"})), TOPICS)
    denied = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert not ensure_topics(cast("Admin", FakeAdmin(set(), denied)), TOPICS)
