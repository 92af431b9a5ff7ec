"""The records of a Kinesis stream, as they come. Takes no lease and writes nothing: no worker notices, see `_Shard`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops.actions.streams.records import TailedRecord
from ops.actions.streams.shards import list_shards
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["stream_arn_of", "tail_stream"]

_READ_SECONDS = 1.0
"""Between two reads of a shard: one of the five a second that Kinesis allows to all its pollers together."""
_WORKERS = 16
_RECORDS = 10_000
_SLOW_DOWN = ("ProvisionedThroughputExceededException", "LimitExceededException")


def stream_arn_of(aws: Aws, stream: str) -> str:
    """The ARN of a stream given by name or ARN.

    Raises:
        UsageError: it does not exist.
    """
    client = aws.kinesis()
    named: Any = {"StreamARN": stream} if stream.startswith("arn:") else {"StreamName": stream}
    try:
        return str(client.describe_stream_summary(**named)["StreamDescriptionSummary"]["StreamARN"])
    except client.exceptions.ResourceNotFoundException:
        raise UsageError(
            f"there is no stream {stream!r} (in this account and region)",
            "`aws kinesis list-streams` shows what exists",
        ) from None


def tail_stream(
    aws: Aws, stream_arn: str, since: datetime, *, follow: bool, stop: threading.Event, most: int | None = None
) -> Iterator[TailedRecord]:
    """Records that arrived at `since` or later: of a shard in order, of a parent before its children.

    Args:
        aws: clients.
        stream_arn: of the stream.
        since: beginning.
        follow: go on with what arrives; else end with what is there now.
        stop: end soon.
        most: records that the caller wants, so that no more are read at a time.
    """
    begun = datetime.now(UTC)
    shards = {one["ShardId"]: _Shard(aws, stream_arn, one, since) for one in list_shards(aws, stream_arn)}
    limit = min(most or _RECORDS, _RECORDS)
    with ThreadPoolExecutor(_WORKERS) as pool:
        while not stop.is_set():
            reading = [
                shard
                for shard in shards.values()
                if not shard.ended
                and (follow or not shard.reached)
                and all(shards[parent].ended for parent in shard.parents if parent in shards)
            ]
            if not reading:
                return
            due = time.monotonic() + _READ_SECONDS
            found = [
                record for records in pool.map(lambda shard: shard.read(limit, begun), reading) for record in records
            ]
            yield from sorted(found, key=lambda record: record.arrived_at)
            for child in [child for shard in reading for child in shard.children]:
                shards.setdefault(child["ShardId"], _Shard(aws, stream_arn, child, since))
            if any(not shard.ended and (follow or not shard.reached) for shard in shards.values()):
                stop.wait(max(0.0, due - time.monotonic()))


class _Shard:
    """Reads one shard, gently: workers that poll share its five reads a second, and come back from a refusal."""

    def __init__(self, aws: Aws, stream_arn: str, shard: dict[str, Any], since: datetime) -> None:
        self._client = aws.kinesis()
        self._stream_arn = stream_arn
        self._id: str = shard["ShardId"]
        named = [shard.get("ParentShardId"), shard.get("AdjacentParentShardId"), *shard.get("ParentShards", ())]
        self.parents = [parent for parent in named if parent]
        self._start: dict[str, Any] = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": since}
        self._iterator: str | None = None
        self.ended = False
        """Nothing will follow."""
        self.reached = False
        """Everything was read that was there when the tail began."""
        self.children: list[dict[str, Any]] = []

    def read(self, limit: int, begun: datetime) -> list[TailedRecord]:
        """What comes next; nothing when there is nothing, or when others read too much."""
        errors = self._client.exceptions
        try:
            if self._iterator is None:
                answer = self._client.get_shard_iterator(StreamARN=self._stream_arn, ShardId=self._id, **self._start)
                self._iterator = answer["ShardIterator"]
            found = self._client.get_records(ShardIterator=self._iterator, Limit=limit, StreamARN=self._stream_arn)
        except errors.ExpiredIteratorException:
            self._iterator = None
            return []
        except errors.ClientError as error:
            if error.response["Error"]["Code"] in _SLOW_DOWN:
                return []
            if error.response["Error"]["Code"] == "ResourceNotFoundException" and self._id in str(error):
                self.ended = True  # its records have expired
                return []
            raise
        records = [_record(self._id, document) for document in found["Records"]]
        if records:
            last = records[-1]
            self._start = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": last.sequence_number,
            }
        self.reached = bool(records and records[-1].arrived_at > begun) or not (
            records or found.get("MillisBehindLatest", 0)
        )
        self._iterator = found.get("NextShardIterator")
        if self._iterator is None:
            self.ended = True
            self.children = list(found.get("ChildShards", ()))
        return records


def _record(shard_id: str, document: Any) -> TailedRecord:
    return TailedRecord(
        shard=shard_id,
        sequence_number=document["SequenceNumber"],
        key=document["PartitionKey"].encode(),
        arrived_at=document["ApproximateArrivalTimestamp"],
        data=document["Data"],
    )
