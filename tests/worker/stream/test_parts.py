"""Settings, on-failure messages, the lag metric, the polling reader."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from contracts import environment as names
from contracts import metrics
from contracts.messages import FAILURE, STREAM_POSITION, Failure, RecordBody, StreamPosition
from tests.emulator import Account
from worker.errors import SettingsError
from worker.sources.stream import lag
from worker.sources.stream.kinesis import MIN_POLL_SECONDS, PollingReader, retrying
from worker.sources.stream.leases import TRIM_HORIZON, at_timestamp
from worker.sources.stream.on_failure import MAX_MESSAGE_BYTES, message_of
from worker.sources.stream.records import Batch, Record
from worker.sources.stream.settings import Start, read

STREAM = "arn:aws:kinesis:ap-southeast-2:123456789012:stream/clicks"
SHARD = "shardId-000000000001"
MINIMUM = {
    names.STREAM_ARN: STREAM,
    names.LEASE_TABLE: "leases",
    names.DEAD_LETTER_QUEUE_URL: "https://sqs.example/1/clicks-dlq",
}


# -- settings ----------------------------------------------------------------------------------------------------


def test_the_minimum_has_defaults() -> None:
    settings = read(MINIMUM)
    assert (settings.start, settings.batch_size, settings.max_attempts) == (Start.TRIM_HORIZON, 500, 5)
    assert (settings.lease_seconds, settings.consumer_arn) == (20, None)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (names.STREAM_ARN, "", "STREAM_ARN: not set; set it to the ARN of the stream"),
        (
            names.STREAM_ARN,
            "clicks",
            "STREAM_ARN: 'clicks' is not an ARN of Kinesis; allowed: arn:aws:kinesis:…:stream/…",
        ),
        (names.LEASE_TABLE, "", "LEASE_TABLE: not set; set it to the DynamoDB table of this application's leases"),
        (
            names.DEAD_LETTER_QUEUE_URL,
            "",
            "DEAD_LETTER_QUEUE_URL: not set; set it to the URL of the queue for records that cannot be handled",
        ),
        (names.LEASE_SECONDS, "1", "LEASE_SECONDS: 1 is out of range; allowed: 2 to 300"),
        (names.START_POSITION, "NOW", "START_POSITION: 'NOW' is unknown; allowed: TRIM_HORIZON, LATEST"),
        (names.STREAM_BATCH_SIZE, "10001", "STREAM_BATCH_SIZE: 10,001 is out of range; allowed: 1 to 10,000"),
        (names.MAX_ATTEMPTS, "0", "MAX_ATTEMPTS: 0 is out of range; allowed: 1 to 1,000"),
    ],
)
def test_each_mistake_is_one_line(name: str, value: str, line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read({**MINIMUM, name: value})
    assert caught.value.lines == [line]


# -- on-failure messages -----------------------------------------------------------------------------------------


def message(data: bytes, key: str = "channel-1", reason: str = "broken") -> tuple[dict[str, Any], StreamPosition]:
    record = Record(
        sequence_number="4711", partition_key=key, data=data, arrived_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    )
    failure = Failure(
        error="ValueError", message=reason, receive_count=3, retryable=True, queue_arn=STREAM, failed_at="now"
    )
    made = message_of(record, SHARD, STREAM, failure)
    position = StreamPosition.from_json(made["MessageAttributes"][STREAM_POSITION]["StringValue"])
    assert position is not None
    assert Failure.from_json(made["MessageAttributes"][FAILURE]["StringValue"]) is not None
    assert 0 < size_of(made) <= MAX_MESSAGE_BYTES
    return made, position


def size_of(made: dict[str, Any]) -> int:
    attributes = made["MessageAttributes"].items()
    texts = [text for name, value in attributes for text in (name, value["DataType"], value["StringValue"])]
    return len(made["MessageBody"].encode()) + sum(len(text.encode()) for text in texts)


def test_an_event_is_copied_as_it_is_with_its_place() -> None:
    made, position = message('{"name": "ünì"}'.encode())
    assert made["MessageBody"] == '{"name": "ünì"}'
    assert position == StreamPosition(
        stream_arn=STREAM,
        shard_id=SHARD,
        sequence_number="4711",
        partition_key="channel-1",
        arrived_at="2026-11-20T12:00:00.000+00:00",
        body=RecordBody.TEXT,
    )


@pytest.mark.parametrize("data", [b"\xff\x00", b"text with \x00", "\ufffe".encode()])
def test_what_sqs_takes_for_no_text_is_copied_in_base64(data: bytes) -> None:
    made, position = message(data)
    assert position.body is RecordBody.BASE64
    assert base64.b64decode(made["MessageBody"]) == data


@pytest.mark.parametrize("data", [b"x" * MAX_MESSAGE_BYTES, b"\xff" * (MAX_MESSAGE_BYTES * 3 // 4), b""])
def test_what_does_not_fit_is_a_reference(data: bytes) -> None:
    made, position = message(data)
    assert position.body is RecordBody.REFERENCE
    assert StreamPosition.from_json(made["MessageBody"]) == position


@pytest.mark.parametrize("length", range(MAX_MESSAGE_BYTES - 12_000, MAX_MESSAGE_BYTES, 1_000))
def test_at_the_limit_it_fits_with_the_longest_attributes(length: int) -> None:
    message(b"x" * length, key="\N{SLICE OF PIZZA}" * 256, reason="\x01" * 1000)


def test_as_much_as_fits_is_copied() -> None:
    room = MAX_MESSAGE_BYTES - size_of(message(b"x")[0]) - 128
    assert message(b"x" * room)[1].body is RecordBody.TEXT


def test_a_position_that_is_none_is_told() -> None:
    assert StreamPosition.from_json("no JSON") is None
    assert StreamPosition.from_json('{"body": "cake"}') is None
    assert StreamPosition.from_json("[]") is None
    assert StreamPosition.from_json('{"body": "text", "headers": 3}') is None


# -- lag ---------------------------------------------------------------------------------------------------------


def test_the_slowest_shard_is_published_in_one_line() -> None:
    lines: list[str] = []
    lag.publish("dev", "clicks", [0.5, 12.3456, 0.0], lines.append)
    (line,) = lines
    assert line.endswith("}\n")
    document = json.loads(line)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == metrics.NAMESPACE
    assert directive["Dimensions"] == [[metrics.STACK, metrics.PATTERN]]
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert units == {metrics.SHARDS_HELD: "Count", metrics.LAG_MILLISECONDS: "Milliseconds"}
    assert (document[metrics.STACK], document[metrics.PATTERN]) == ("dev", "clicks")
    assert (document[metrics.LAG_MILLISECONDS], document[metrics.SHARDS_HELD]) == ([12346.0], [3.0])


def test_a_task_without_a_shard_knows_no_lag() -> None:
    lines: list[str] = []
    lag.publish("dev", "clicks", [], lines.append)
    document = json.loads(lines[0])
    assert document[metrics.SHARDS_HELD] == [0.0]
    assert metrics.LAG_MILLISECONDS not in document


# -- reading -----------------------------------------------------------------------------------------------------


class Time:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(round(seconds, 3))
        self.now += seconds


def reader_of(client: Any, time: Time, checkpoint: str = TRIM_HORIZON) -> PollingReader:
    return PollingReader(client, STREAM, SHARD, checkpoint, wait=time.wait, clock=time.clock)


def one(sequence_number: str) -> dict[str, Any]:
    return {
        "SequenceNumber": sequence_number,
        "PartitionKey": "k",
        "Data": b"{}",
        "ApproximateArrivalTimestamp": datetime(2026, 11, 20, tzinfo=UTC),
    }


def test_polls_are_spaced_and_a_shard_that_stays_empty_is_asked_once_a_second(account: Account) -> None:
    client, time = account.client("kinesis"), Time()
    with Stubber(client) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "i1"})
        stub.add_response("get_records", {"Records": [one("1")], "NextShardIterator": "i2", "MillisBehindLatest": 500})
        stub.add_response("get_records", {"Records": [], "NextShardIterator": "i3", "MillisBehindLatest": 100})
        stub.add_response("get_records", {"Records": [], "NextShardIterator": "i4", "MillisBehindLatest": 0})
        for number in range(5, 18):
            empty = {"Records": [], "NextShardIterator": f"i{number}", "MillisBehindLatest": 0}
            stub.add_response("get_records", empty)
        stub.add_response("get_records", {"Records": [one("2")], "NextShardIterator": "i18", "MillisBehindLatest": 0})
        stub.add_response("get_records", {"Records": [], "MillisBehindLatest": 0, "ChildShards": []})
        reader = reader_of(client, time)
        batches = [reader.read(10) for _ in range(18)]
    waits = [round(wait / MIN_POLL_SECONDS, 3) for wait in time.waits]
    # In fifths of a second: five reads a second, for two seconds also of nothing, then fewer, then five again.
    assert waits == [0, 1, 1, *[1] * 11, 2, 4, 5, 1]
    assert [len(batch.records) for batch in batches] == [1, *[0] * 15, 1, 0]
    assert [batch.behind_seconds for batch in batches] == [0.5, 0.1, *[0.0] * 16]
    assert [batch.ended for batch in batches] == [*[False] * 17, True]


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [
        (TRIM_HORIZON, {"ShardIteratorType": "TRIM_HORIZON"}),
        ("4711", {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "4711"}),
        (
            at_timestamp(1_700_000_000_123),
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)},
        ),
    ],
)
def test_reading_begins_behind_the_checkpoint(account: Account, checkpoint: str, expected: dict[str, Any]) -> None:
    client = account.client("kinesis")
    with Stubber(client) as stub:
        stub.add_response(
            "get_shard_iterator", {"ShardIterator": "i"}, {"StreamARN": STREAM, "ShardId": SHARD, **expected}
        )
        stub.add_response("get_records", {"Records": [], "NextShardIterator": "i2"})
        reader_of(client, Time(), checkpoint).read(10)
        stub.assert_no_pending_responses()


def test_an_iterator_that_has_expired_is_opened_behind_the_last_record(account: Account) -> None:
    client = account.client("kinesis")
    with Stubber(client) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "i"})
        stub.add_response("get_records", {"Records": [one("7")], "NextShardIterator": "i2"})
        stub.add_client_error("get_records", "ExpiredIteratorException")
        stub.add_response(
            "get_shard_iterator",
            {"ShardIterator": "i3"},
            {
                "StreamARN": STREAM,
                "ShardId": SHARD,
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": "7",
            },
        )
        stub.add_response("get_records", {"Records": [one("8")], "NextShardIterator": "i4"})
        reader = reader_of(client, Time())
        found = [record.sequence_number for _ in range(3) for record in reader.read(10).records]
    assert found == ["7", "8"]


def test_a_shard_that_expired_unread_has_ended_and_a_throttled_one_has_not(account: Account) -> None:
    client, time = account.client("kinesis"), Time()
    with Stubber(client) as stub:
        stub.add_client_error("get_shard_iterator", "ProvisionedThroughputExceededException")
        stub.add_client_error("get_shard_iterator", "ResourceNotFoundException", "Stream clicks not found")
        stub.add_client_error("get_shard_iterator", "ResourceNotFoundException", f"Shard {SHARD} in stream clicks gone")
        read = retrying(reader_of(client, time), SHARD, stopped=lambda: False, wait=time.wait)
        assert read(10) == Batch(ended=True)
        stub.assert_no_pending_responses()
    assert len([seconds for seconds in time.waits if seconds >= 0.5]) == 2


def test_a_shard_that_is_not_wanted_any_more_is_not_read(account: Account) -> None:
    client = account.client("kinesis")
    with Stubber(client):
        read = retrying(reader_of(client, Time()), SHARD, stopped=lambda: True, wait=lambda seconds: None)
        assert read(10) == Batch()
