"""A record of a shard, and what one read brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.sources.stream.leases import Shard

__all__ = ["Batch", "Record"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One record as Kinesis gives it; two reads of the same one are different objects.

    Attributes:
        sequence_number: grows within the shard.
        partition_key: records with the same key are in order.
        data: an event envelope as JSON, if the producer keeps the contract.
        arrived_at: when Kinesis got it, about.
    """

    sequence_number: str
    partition_key: str
    data: bytes
    arrived_at: datetime

    @property
    def lane_key(self) -> str:
        """Records with the same are handled in order."""
        return self.partition_key

    @property
    def keyless(self) -> bool:
        """Whether the producer set no key, which only Kafka allows."""
        return False

    def headers_as_text(self) -> tuple[tuple[str, str | None], ...]:
        """As a `StreamPosition` has them; Kinesis has none."""
        return ()

    @classmethod
    def from_kinesis(cls, document: Mapping[str, Any]) -> Record:
        return cls(
            sequence_number=document["SequenceNumber"],
            partition_key=document["PartitionKey"],
            data=document["Data"],
            arrived_at=document["ApproximateArrivalTimestamp"],
        )


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one read brings.

    Attributes:
        records: in order; may be empty.
        behind_seconds: how old the newest record read is, compared with the newest of the shard; None if not told.
        ended: nothing will follow: the shard was split or merged, and was read to its end.
        children: what follows an ended shard.
    """

    records: Sequence[Record] = ()
    behind_seconds: float | None = None
    ended: bool = False
    children: Sequence[Shard] = field(default=())
