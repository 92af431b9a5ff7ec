"""`python -m bench.contenders.boto3_stream STREAM_ARN [TABLE]`: the stream consumer that people write by hand.

Every shard in turn: read up to 500 records (at most five times a second, as Kinesis allows), handle one after the
other. With a table each key is claimed before, and marked as completed after, the handler. No checkpoint, no lease, no
retry, no log, nobody takes over.
"""

from __future__ import annotations

import sys
import time

import boto3

from bench.contenders.boto3_handling import Handling, Termination

_RECORDS = 500
_PAUSE_SECONDS = 0.2


def main(stream_arn: str, table: str | None) -> None:
    """Consume until SIGTERM."""
    kinesis = boto3.client("kinesis")
    handling = Handling(table)
    termination = Termination()
    iterators = [
        kinesis.get_shard_iterator(StreamARN=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        for shard in kinesis.list_shards(StreamARN=stream_arn)["Shards"]
    ]
    while not termination.asked:
        due = time.monotonic() + _PAUSE_SECONDS
        for number, iterator in enumerate(iterators):
            answer = kinesis.get_records(ShardIterator=iterator, Limit=_RECORDS, StreamARN=stream_arn)
            iterators[number] = answer["NextShardIterator"]
            for record in answer["Records"]:
                handling.handle(record["Data"])
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
