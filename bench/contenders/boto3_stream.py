"""`python -m bench.contenders.boto3_stream STREAM_ARN [TABLE]`: the stream consumer that people write by hand.

Every shard in turn: read up to 500 records (at most five times a second, as Kinesis allows), handle one after the
other. With a table each key is claimed before, and marked as completed after, the handler. No checkpoint, no lease, no
retry, no log, nobody takes over.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from types import FrameType
from typing import Any

import boto3

from bench.contenders.meter import Meter

_RECORDS = 500
_PAUSE_SECONDS = 0.2


def main(stream_arn: str, table: str | None) -> None:
    """Consume until SIGTERM."""
    kinesis = boto3.client("kinesis")
    dynamodb: Any = boto3.client("dynamodb") if table else None
    meter = Meter()
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    iterators = [
        kinesis.get_shard_iterator(StreamARN=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        for shard in kinesis.list_shards(StreamARN=stream_arn)["Shards"]
    ]
    while not stopping:
        due = time.monotonic() + _PAUSE_SECONDS
        for number, iterator in enumerate(iterators):
            answer = kinesis.get_records(ShardIterator=iterator, Limit=_RECORDS, StreamARN=stream_arn)
            iterators[number] = answer["NextShardIterator"]
            for record in answer["Records"]:
                detail = json.loads(record["Data"])["detail"]
                key = {"id": {"S": detail["metadata"]["idempotency-key"]}}
                expires = {":expires": {"N": str(int(time.time()) + 3600)}}
                if dynamodb:
                    item = {**key, "expiration": expires[":expires"]}
                    dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(id)")
                meter.handled(detail["data"])
                if dynamodb:
                    dynamodb.update_item(
                        TableName=table,
                        Key=key,
                        UpdateExpression="SET expiration = :expires",
                        ExpressionAttributeValues=expires,
                    )
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
