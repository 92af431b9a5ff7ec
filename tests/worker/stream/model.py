"""A lease table and a stream in memory: the table with DynamoDB's atomic conditional writes, the stream with real shards.

Shards split and merge as on Kinesis: a parent is closed and stays readable, children begin where it ended, ids grow.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from worker.sources.stream.leases import FREE, Birth, Lease, Shard

__all__ = ["MemoryStream", "MemoryTable"]


class MemoryTable:
    """The same conditions as `LeaseTable`."""

    def __init__(self) -> None:
        self.rows: dict[str, Lease] = {}
        self.born: Birth | None = None

    def read(self) -> dict[str, Lease]:
        return dict(self.rows)

    def birth(self, mine: Birth) -> Birth:
        self.born = self.born or mine
        return self.born

    def create(self, lease: Lease) -> bool:
        if lease.shard_id in self.rows:
            return False
        self.rows[lease.shard_id] = lease
        return True

    def take(self, lease: Lease, me: str) -> Lease | None:
        now = self.rows.get(lease.shard_id)
        if now is None or now.version != lease.version:
            return None
        crashes = lease.crashes + (lease.owner not in (FREE, me))
        return self._write(
            dataclasses.replace(now, owner=me, epoch=now.epoch + 1, beat=now.beat + 1, crashes=crashes, wanted_by="")
        )

    def renew(self, lease: Lease, checkpoint: str, crashes: int) -> Lease | None:
        now = self._fenced(lease)
        return now and self._write(dataclasses.replace(now, beat=now.beat + 1, checkpoint=checkpoint, crashes=crashes))

    def release(self, lease: Lease, checkpoint: str, crashes: int) -> Lease | None:
        now = self._fenced(lease)
        return now and self._write(
            dataclasses.replace(now, owner=FREE, beat=now.beat + 1, checkpoint=checkpoint, crashes=crashes)
        )

    def ask(self, lease: Lease, me: str) -> Lease | None:
        now = self._fenced(lease)
        return None if now is None or now.wanted_by else self._write(dataclasses.replace(now, wanted_by=me))

    def forget(self, lease: Lease) -> None:
        if self.rows.get(lease.shard_id) == lease and lease.ended and lease.owner == FREE:
            del self.rows[lease.shard_id]

    def _fenced(self, lease: Lease) -> Lease | None:
        now = self.rows.get(lease.shard_id)
        return now if now is not None and (now.owner, now.epoch) == (lease.owner, lease.epoch) else None

    def _write(self, lease: Lease) -> Lease:
        self.rows[lease.shard_id] = lease
        return lease


@dataclass
class MemoryStream:
    """The shards of a stream, open and closed."""

    shards: dict[str, Shard] = field(default_factory=dict)

    @classmethod
    def of(cls, count: int) -> MemoryStream:
        stream = cls()
        for _ in range(count):
            stream._add(())
        return stream

    def _add(self, parents: tuple[str, ...]) -> None:
        shard = Shard(id=f"shardId-{len(self.shards):012d}", parents=parents)
        self.shards[shard.id] = shard

    def _close(self, shard_id: str) -> None:
        self.shards[shard_id] = dataclasses.replace(self.shards[shard_id], open=False)

    def open(self) -> list[str]:
        return [shard.id for shard in self.shards.values() if shard.open]

    def split(self, shard_id: str) -> None:
        self._close(shard_id)
        self._add((shard_id,))
        self._add((shard_id,))

    def merge(self, one: str, other: str) -> None:
        self._close(one)
        self._close(other)
        self._add((one, other))

    def listed(self) -> list[Shard]:
        return list(self.shards.values())

    def children(self, shard_id: str) -> list[Shard]:
        return [shard for shard in self.shards.values() if shard_id in shard.parents]
