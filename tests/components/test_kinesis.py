from __future__ import annotations

from typing import Any

import pytest

from components.core.errors import InvalidArgsError
from components.encryption import EncryptionKey
from components.observability.stream_alarms import StreamAlarms, StreamAlarmsArgs
from components.streams.kinesis import MAX_CONSUMERS, KinesisStream, KinesisStreamArgs, StreamMode
from tests.recorder import ACCOUNT, REGION, record

ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks-0a1b2c3"


def test_a_stream_is_one_resource_on_demand_and_encrypted():
    recorder = record(lambda: KinesisStream("clicks"))
    assert recorder.children() == {"aws:kinesis/stream:Stream": 1}
    assert recorder.one("aws:kinesis/stream:Stream").inputs == {
        "encryptionType": "KMS",
        "kmsKeyId": "alias/aws/kinesis",
        "retentionPeriod": 24,
        "streamModeDetails": {"streamMode": "ON_DEMAND"},
    }


def test_every_option_reaches_the_provider():
    def program() -> None:
        KinesisStream(
            "clicks",
            KinesisStreamArgs(
                mode=StreamMode.PROVISIONED,
                shard_count=4,
                retention_hours=168,
                max_record_size_kib=2048,
                shard_metrics=["IteratorAgeMilliseconds", "IncomingBytes"],
                encryption_key=EncryptionKey("key"),
            ),
        )

    recorder = record(program)
    assert recorder.one("aws:kinesis/stream:Stream").inputs == {
        "encryptionType": "KMS",
        "kmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/key-0a1b2c3",
        "maxRecordSizeInKib": 2048,
        "retentionPeriod": 168,
        "shardCount": 4,
        "shardLevelMetrics": ["IncomingBytes", "IteratorAgeMilliseconds"],
        "streamModeDetails": {"streamMode": "PROVISIONED"},
    }


def statements(stream: KinesisStream, which: str) -> list[Any]:
    if which == "read_enhanced":
        made = stream.read_enhanced(stream.register_consumer("one"))
    else:
        made = stream.put() if which == "put" else stream.read()
    return [statement.to_json() for statement in made]


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        ("put", [{"kinesis:PutRecord", "kinesis:PutRecords"}]),
        ("read", [{"kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"}]),
        ("read_enhanced", [{"kinesis:ListShards"}, {"kinesis:SubscribeToShard"}]),
    ],
)
@pytest.mark.parametrize("own_key", [False, True])
def test_grants_name_their_actions_and_the_stream(grant: str, expected: list[set[str]], own_key: bool):
    found: list[Any] = []
    resources: list[str] = []

    def program() -> None:
        key = EncryptionKey("key") if own_key else None
        made = statements(KinesisStream("clicks", KinesisStreamArgs(encryption_key=key)), grant)
        found.extend(made)
        for statement in made:
            statement["Resource"][0].apply(resources.append)

    record(program)
    key_actions = [{"kms:Decrypt", "kms:GenerateDataKey"}] if own_key else []
    assert [set(statement["Action"]) for statement in found] == [*expected, *key_actions]
    streams = [arn for arn in resources if ":kinesis:" in arn and "/consumer/" not in arn]
    assert set(streams) == {ARN}
    consumers = [arn for arn in resources if "/consumer/" in arn]
    assert len(consumers) == (1 if grant == "read_enhanced" else 0)


def test_registered_consumers_are_children_with_stable_names():
    def program() -> None:
        stream = KinesisStream("clicks")
        stream.register_consumer("billing")
        stream.register_consumer("search")
        assert sorted(stream.consumers) == ["billing", "search"]

    recorder = record(program)
    assert recorder.names("aws:kinesis/streamConsumer:StreamConsumer") == ["clicks-billing", "clicks-search"]
    assert recorder.one("StreamConsumer", "clicks-billing").inputs == {"streamArn": ARN}


def test_a_consumer_is_registered_once_and_a_stream_has_twenty():
    def twice() -> None:
        stream = KinesisStream("clicks")
        stream.register_consumer("billing")
        stream.register_consumer("billing")

    def too_many() -> None:
        stream = KinesisStream("clicks")
        for number in range(MAX_CONSUMERS + 1):
            stream.register_consumer(f"c{number}")

    with pytest.raises(InvalidArgsError, match="the consumer 'billing' is registered twice"):
        record(twice)
    with pytest.raises(InvalidArgsError, match="'c20' is one more than the 20 of a stream"):
        record(too_many)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"mode": "SERVERLESS"}, "mode is 'SERVERLESS'; allowed is one of 'ON_DEMAND', 'PROVISIONED'"),
        ({"mode": StreamMode.PROVISIONED}, "shard_count is not set; a provisioned stream needs it, e.g. 2"),
        ({"shard_count": 2}, "shard_count is 2, but an on-demand stream counts its shards itself; leave it unset or"),
        (
            {"mode": StreamMode.PROVISIONED, "shard_count": 0},
            "shard_count is 0; allowed is a whole number from 1 to 10,000 shards",
        ),
        ({"retention_hours": 23}, "retention_hours is 23; allowed is a whole number from 24 to 8,760 hours"),
        (
            {"max_record_size_kib": 1},
            "max_record_size_kib is 1; allowed is a whole number from 1,024 to 10,240 KiB",
        ),
        ({"shard_metrics": ["Age"]}, "shard_metrics are ['Age']; allowed are IncomingBytes, IncomingRecords, "),
    ],
)
def test_wrong_arguments_are_told_apart(values: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: KinesisStream("clicks", KinesisStreamArgs(**values)))
    assert any(line.startswith(f"KinesisStream 'clicks': {problem}") for line in str(caught.value).splitlines())


def alarms(**changes: Any) -> dict[str, dict[str, Any]]:
    recorder = record(
        lambda: StreamAlarms(
            "clicks-stream-alarms", StreamAlarmsArgs(pattern="clicks", stream=KinesisStream("clicks"), **changes)
        )
    )
    found = {
        item.name.removeprefix("clicks-stream-alarms-"): dict(item.inputs) for item in recorder.of_type("MetricAlarm")
    }
    for alarm in found.values():
        assert alarm["namespace"] == "AWS/Kinesis"
        assert alarm["dimensions"] == {"StreamName": "clicks-0a1b2c3"}
        assert "docs/runbooks/stream-behind.md" in alarm["alarmDescription"]
    return found


def test_the_alarms_of_a_stream():
    found = alarms(topic_arn="arn:topic")
    watched = {name: (alarm["metricName"], alarm["statistic"], alarm["threshold"]) for name, alarm in found.items()}
    assert watched == {
        "iterator-age": ("GetRecords.IteratorAgeMilliseconds", "Maximum", 12 * 3600 * 1000),  # half of 24 hours
        "read-throttled": ("ReadProvisionedThroughputExceeded", "Sum", 1),
        "write-throttled": ("WriteProvisionedThroughputExceeded", "Sum", 1),
    }
    assert all(alarm["alarmActions"] == alarm["okActions"] == ["arn:topic"] for alarm in found.values())


def test_the_age_can_be_set_and_nobody_need_be_told():
    found = alarms(iterator_age_seconds=600)
    assert found["iterator-age"]["threshold"] == 600_000
    assert "alarmActions" not in found["iterator-age"]
    with pytest.raises(InvalidArgsError, match="iterator_age_seconds is 5"):
        alarms(iterator_age_seconds=5)
