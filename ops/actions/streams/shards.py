"""How far an application of a Kinesis stream is: its shards, who holds them, and how long the oldest record waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from contracts.manifest import StreamRef
from ops.actions.streams.leases import SHARD_END, LeaseRow, read_leases
from ops.actions.streams.metrics import latest_maximum

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["ShardStatus", "StreamStatus", "behind", "list_shards", "read_stream", "start_of"]

T = TypeVar("T")
Read = Callable[[str, Callable[[], Any]], Any]
"""Of what is read, and how → the answer, or None when it failed, which is noted."""

_WORKERS = 16


@dataclass(frozen=True, kw_only=True)
class ShardStatus:
    """One shard that is not at its end.

    Attributes:
        shard: its id.
        state: ``open``, or ``closed``: it was split or merged, and what it has is still being read.
        held_by: ``task/uuid`` of the worker; None when nobody holds it.
        wanted_by: a worker that it will be handed to.
        checkpoint: everything up to here is handled; None while the application does not know the shard.
        behind_seconds: age of the oldest record that is not handled, 0 when all are; None when unknown.
        crashes: workers in a row that vanished at this checkpoint.
    """

    shard: str
    state: str
    held_by: str | None = None
    wanted_by: str | None = None
    checkpoint: str | None = None
    behind_seconds: float | None = None
    crashes: int = 0


@dataclass(frozen=True, kw_only=True)
class StreamStatus:
    """One application of a stream.

    Attributes:
        name: of the stream.
        consumer: the registered consumer that it reads as; None when it polls.
        iterator_age_seconds: what CloudWatch says the slowest reader had read of; all who poll share this number.
        behind_seconds: of the slowest shard.
        shards: those that are not at their end.
        ended: shards that were read to their end.
        workers: who holds shards, and how many.
    """

    name: str
    consumer: str | None = None
    iterator_age_seconds: float | None = None
    behind_seconds: float | None = None
    shards: list[ShardStatus] = field(default_factory=list)
    ended: int = 0
    workers: dict[str, int] = field(default_factory=dict)


def read_stream(aws: Aws, stream: StreamRef, read: Read) -> StreamStatus:
    """Look at the lease table and, for each shard, at the first record behind its checkpoint.

    That is one GetRecords of one record, of the five a second that all who poll a shard share.
    """
    leases: dict[str, LeaseRow] | None = read("its lease table", partial(read_leases, aws, stream.lease_table))
    listed: list[dict[str, Any]] | None = read("its shards", partial(list_shards, aws, stream.arn))
    age = read("its iterator age", partial(_iterator_age, aws, stream))
    rows, known = leases or {}, {shard["ShardId"]: shard for shard in listed or ()}
    # Without the list, what has a lease is known; a lease whose shard is gone from the list has expired.
    names = sorted(known if listed is not None else rows)
    going = [name for name in names if name not in rows or rows[name].checkpoint != SHARD_END]
    ages: dict[str, float | None] = {}
    if leases is not None and listed is not None:
        with ThreadPoolExecutor(_WORKERS) as pool:
            read_one = partial(_behind, aws, stream, rows, read)
            ages = dict(zip(going, pool.map(read_one, going), strict=True))
    shards = [_status(name, known.get(name), rows.get(name), ages.get(name)) for name in going]
    waits = [one.behind_seconds for one in shards if one.behind_seconds is not None]
    workers: dict[str, int] = {}
    for one in shards:
        if one.held_by:
            workers[one.held_by] = workers.get(one.held_by, 0) + 1
    return StreamStatus(
        name=stream.name,
        consumer=stream.consumer_arn,
        iterator_age_seconds=age,
        behind_seconds=max(waits, default=None),
        shards=shards,
        ended=len(names) - len(going),
        workers=workers,
    )


def list_shards(aws: Aws, stream_arn: str) -> list[dict[str, Any]]:
    """Every shard that still has records, open and closed, as ListShards gives it."""
    client = aws.kinesis()
    shards: list[dict[str, Any]] = []
    arguments: dict[str, Any] = {"StreamARN": stream_arn}
    while True:
        answer: Any = client.list_shards(**arguments)
        shards += answer["Shards"]
        if not (token := answer.get("NextToken")):
            return shards
        arguments = {"NextToken": token}


def start_of(checkpoint: str) -> dict[str, Any]:
    """The arguments of GetShardIterator that begin behind a checkpoint."""
    if checkpoint.startswith("AT_TIMESTAMP:"):
        moment = datetime.fromtimestamp(int(checkpoint.partition(":")[2]) / 1000, UTC)
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment}
    if checkpoint.isdigit():
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": checkpoint}
    return {"ShardIteratorType": "TRIM_HORIZON"}


def behind(aws: Aws, stream_arn: str, shard_id: str, checkpoint: str) -> float:
    """Age of the first record behind the checkpoint; 0 when there is none."""
    client = aws.kinesis()
    start: Any = {"StreamARN": stream_arn, "ShardId": shard_id, **start_of(checkpoint)}
    answer = client.get_records(
        ShardIterator=client.get_shard_iterator(**start)["ShardIterator"], Limit=1, StreamARN=stream_arn
    )
    if answer["Records"]:
        return max(0.0, time.time() - answer["Records"][0]["ApproximateArrivalTimestamp"].timestamp())
    # Kinesis may answer with nothing although there is something further on.
    return answer.get("MillisBehindLatest", 0) / 1000


def _behind(aws: Aws, stream: StreamRef, leases: dict[str, LeaseRow], read: Read, shard_id: str) -> float | None:
    if shard_id not in leases:
        return None
    found: float | None = read(
        f"its shard {shard_id}", partial(behind, aws, stream.arn, shard_id, leases[shard_id].checkpoint)
    )
    return found


def _status(
    name: str, shard: dict[str, Any] | None, lease: LeaseRow | None, behind_seconds: float | None
) -> ShardStatus:
    closed = shard is not None and "EndingSequenceNumber" in shard["SequenceNumberRange"]
    return ShardStatus(
        shard=name,
        state="closed" if closed else "open",
        held_by=(lease.owner or None) if lease else None,
        wanted_by=(lease.wanted_by or None) if lease else None,
        checkpoint=lease.checkpoint if lease else None,
        behind_seconds=behind_seconds,
        crashes=lease.crashes if lease else 0,
    )


def _iterator_age(aws: Aws, stream: StreamRef) -> float | None:
    if stream.consumer_arn is None:
        dimensions = {"StreamName": stream.name}
        age = latest_maximum(aws, "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", dimensions)
    else:
        # arn:…:stream/<stream>/consumer/<consumer>:<time>
        consumer = stream.consumer_arn.rsplit("/", 1)[-1].partition(":")[0]
        dimensions = {"StreamName": stream.name, "ConsumerName": consumer}
        age = latest_maximum(aws, "AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest", dimensions)
    return None if age is None else age / 1000
