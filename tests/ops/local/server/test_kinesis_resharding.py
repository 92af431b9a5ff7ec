"""Shards that split and merge on the embedded AWS, as a consumer sees them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import Account

STREAM = "clicks"


@pytest.fixture
def kinesis(account: Account) -> Any:
    client = account.client("kinesis")
    client.create_stream(StreamName=STREAM, ShardCount=2)
    client.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    return client


def shards(kinesis: Any) -> dict[str, dict[str, Any]]:
    return {shard["ShardId"][-1]: shard for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]}


def put(kinesis: Any, count: int) -> list[str]:
    entries = [{"PartitionKey": f"key-{n}", "Data": str(n).encode()} for n in range(count)]
    return [record["ShardId"] for record in kinesis.put_records(StreamName=STREAM, Records=entries)["Records"]]


def read_to_the_end(kinesis: Any, shard: str) -> tuple[list[bytes], list[str]]:
    """Data and children of a closed shard."""
    iterator = kinesis.get_shard_iterator(
        StreamName=STREAM, ShardId=f"shardId-00000000000{shard}", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: list[bytes] = []
    while True:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=3)
        found += [record["Data"] for record in answer["Records"]]
        if "NextShardIterator" not in answer:
            return found, [child["ShardId"][-1] for child in answer["ChildShards"]]
        iterator = answer["NextShardIterator"]


def test_split_and_merge_close_the_parents_and_lose_nothing(kinesis: Any) -> None:
    put(kinesis, 20)
    kinesis.split_shard(StreamName=STREAM, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
    kinesis.merge_shards(
        StreamName=STREAM, ShardToMerge="shardId-000000000003", AdjacentShardToMerge="shardId-000000000001"
    )
    found = shards(kinesis)
    assert sorted(found) == list("01234")
    closed = [key for key, shard in found.items() if "EndingSequenceNumber" in shard["SequenceNumberRange"]]
    assert sorted(closed) == list("013")
    assert (found["2"]["ParentShardId"], found["3"]["ParentShardId"]) == ("shardId-000000000000",) * 2
    assert found["4"]["ParentShardId"][-1] + found["4"]["AdjacentParentShardId"][-1] == "31"
    summary = kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 2
    assert {shard[-1] for shard in put(kinesis, 40)} == {"2", "4"}
    first, children = read_to_the_end(kinesis, "0")
    second, child = read_to_the_end(kinesis, "1")
    assert sorted(map(int, first + second)) == list(range(20))
    assert (children, child) == (["2", "3"], ["4"])


def test_update_shard_count_doubles_and_halves(kinesis: Any) -> None:
    for target in (4, 2, 1, 2, 3):
        kinesis.update_shard_count(StreamName=STREAM, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        open_shards = [
            shard for shard in shards(kinesis).values() if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]
        ranges = sorted(
            (int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
            for shard in open_shards
        )
        assert len(ranges) == target
        assert ranges[0][0] == 0
        assert ranges[-1][1] == 2**128 - 1
        assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(ranges))
    with pytest.raises(ClientError, match="TargetShardCount 7: from 3 shards, half to double of it is allowed"):
        kinesis.update_shard_count(StreamName=STREAM, TargetShardCount=7, ScalingType="UNIFORM_SCALING")


def test_a_closed_shard_cannot_be_closed_again(kinesis: Any) -> None:
    arguments = {"StreamName": STREAM, "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(2**126)}
    kinesis.split_shard(**arguments)
    with pytest.raises(ClientError, match="is closed already"):
        kinesis.split_shard(**arguments)


def test_a_subscription_ends_with_the_children(kinesis: Any) -> None:
    put(kinesis, 20)
    arn = kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="fast")["Consumer"]
    kinesis.split_shard(StreamName=STREAM, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
    answer = kinesis.subscribe_to_shard(
        ConsumerARN=consumer["ConsumerARN"],
        ShardId="shardId-000000000000",
        StartingPosition={"Type": "TRIM_HORIZON"},
    )
    (event,) = [event["SubscribeToShardEvent"] for event in answer["EventStream"]]
    assert [record["Data"] for record in event["Records"]] == read_to_the_end(kinesis, "0")[0]
    assert [child["ShardId"][-1] for child in event["ChildShards"]] == ["2", "3"]
