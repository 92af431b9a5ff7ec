"""Who works on which shard: the rules, as functions of what a worker has seen. No AWS, no threads, no clock.

A lease is a row of the application's table. Its owner raises `beat` with each renewal; whoever takes it raises `epoch`
and must name the version (epoch and beat) that it has watched for a whole lease time without a change. No clock is
compared with another one: a worker measures only how long *it* has seen a version. The owner counts the same time from
the moment *before* it sent the renewal that the others see later, so it stops first, at any speed of the network.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = [
    "FREE",
    "SHARD_END",
    "TRIM_HORIZON",
    "Birth",
    "Lease",
    "Plan",
    "Shard",
    "Watch",
    "at_timestamp",
    "crash_limit",
    "forgettable",
    "missing",
    "plan",
    "ready",
    "window",
]

FREE = ""
"""The owner of a lease that nobody holds."""

TRIM_HORIZON = "TRIM_HORIZON"
"""Checkpoint: nothing was read; begin with the oldest record."""
SHARD_END = "SHARD_END"
"""Checkpoint: everything was handled, and nothing will follow."""
_AT_TIMESTAMP = "AT_TIMESTAMP:"


def at_timestamp(milliseconds: int) -> str:
    """Checkpoint: nothing was read; begin with what arrived at this time (Unix, milliseconds) or later."""
    return f"{_AT_TIMESTAMP}{milliseconds}"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A shard as Kinesis lists it; `parents` were split or merged into it."""

    id: str
    parents: tuple[str, ...] = ()
    open: bool = True


@dataclass(frozen=True, kw_only=True)
class Lease:
    """One row of the table.

    Attributes:
        shard_id: the key.
        parents: shards that must have ended before this one may be read.
        checkpoint: the sequence number of the last record before which all were handled, it included; or one of
            `TRIM_HORIZON`, `at_timestamp()`, `SHARD_END`.
        owner: who works on it; `FREE` when nobody does.
        epoch: raised by each change of the owner to another one; fences the writes of an owner that has lost it.
        beat: raised by each write of the owner.
        crashes: owners in a row that vanished, less the checkpoints that were written since.
        wanted_by: a worker that has too few, and asks the owner to finish and let go. It stays when the owner does, and
            keeps the lease for that worker: the owner would else be the first to take it again.
    """

    shard_id: str
    parents: tuple[str, ...] = ()
    checkpoint: str = TRIM_HORIZON
    owner: str = FREE
    epoch: int = 0
    beat: int = 0
    crashes: int = 0
    wanted_by: str = ""

    @property
    def ended(self) -> bool:
        return self.checkpoint == SHARD_END

    @property
    def version(self) -> tuple[str, int, int]:
        return self.owner, self.epoch, self.beat


@dataclass(frozen=True, kw_only=True)
class Birth:
    """The shards at the moment at which an application that starts with LATEST was born, agreed on by all its workers.

    Without it, a second worker could not tell a shard that the first has not come to yet from one that was made later,
    whose records must all be read.
    """

    milliseconds: int
    open: frozenset[str]
    closed: frozenset[str]


class Watch:
    """How long this worker has seen each lease unchanged.

    Args:
        lease_seconds: how long a version must stay unchanged before its owner counts as gone.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._since: dict[str, tuple[tuple[str, int, int], float]] = {}

    def observe(self, leases: Iterable[Lease], now: float) -> None:
        """Note what the table held; `now` (seconds, monotonic) is after the answer came."""
        seen = {lease.shard_id: lease.version for lease in leases}
        before = self._since
        self._since = {
            shard: before[shard] if shard in before and before[shard][0] == version else (version, now)
            for shard, version in seen.items()
        }

    def expired(self, lease: Lease, now: float) -> bool:
        """Whether the owner, or the worker that a free lease is kept for, has been silent for a whole lease time."""
        version, since = self._since.get(lease.shard_id, (None, now))
        taken = lease.owner != FREE or lease.wanted_by != ""
        return taken and version == lease.version and now - since >= self._lease_seconds


def ready(leases: Mapping[str, Lease]) -> list[Lease]:
    """Leases that may be worked on: not ended, and every parent ended.

    A parent that is not in the table has expired from the stream: leases are made parents first, and forgotten when
    their children have theirs.
    """
    return [
        lease
        for lease in leases.values()
        if not lease.ended and all(leases[parent].ended for parent in lease.parents if parent in leases)
    ]


def missing(shards: Sequence[Shard], known: Collection[str], birth: Birth | None) -> list[Lease]:
    """The leases to make for shards that have none, parents first (a child's id is greater than its parents').

    Args:
        shards: as Kinesis lists them.
        known: ids with a lease.
        birth: None when the application starts with the oldest records.
    """
    return [
        Lease(shard_id=shard.id, parents=shard.parents, checkpoint=_first_checkpoint(shard.id, birth))
        for shard in sorted(shards, key=lambda shard: shard.id)
        if shard.id not in known
    ]


def _first_checkpoint(shard_id: str, birth: Birth | None) -> str:
    if birth is not None and shard_id in birth.open:
        return at_timestamp(birth.milliseconds)
    if birth is not None and shard_id in birth.closed:
        return SHARD_END
    return TRIM_HORIZON


def forgettable(leases: Mapping[str, Lease], shards: Sequence[Shard]) -> list[Lease]:
    """Leases that say nothing any more: ended, expired from the stream, and every child has its lease."""
    listed = {shard.id for shard in shards}
    waiting = {parent for shard in shards if shard.id not in leases for parent in shard.parents}
    return [
        lease
        for lease in leases.values()
        if lease.ended and lease.owner == FREE and lease.shard_id not in listed and lease.shard_id not in waiting
    ]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a worker should try next; each may fail because another was faster.

    Attributes:
        take: leases that are free, or whose owner has gone.
        ask: leases of a busier worker, at most one at a time.
    """

    take: list[Lease] = field(default_factory=list)
    ask: list[Lease] = field(default_factory=list)


def plan(leases: Mapping[str, Lease], me: str, expired: Collection[str]) -> Plan:
    """Share the shards evenly.

    A worker takes free shards up to its share, shards / workers rounded up; those without a shard are not seen by the
    others, and count themselves. It asks the busiest for a shard when that one has two more than itself, so that
    nothing moves to and fro.

    Args:
        leases: the table.
        me: this worker.
        expired: ids of leases whose owner (or the worker that they are kept for) has gone.
    """
    candidates = ready(leases)
    mine = [lease for lease in candidates if lease.owner == me]
    free = [
        lease
        for lease in candidates
        if lease.shard_id in expired or (lease.owner == FREE and lease.wanted_by in ("", me))
        if lease.owner != me
    ]
    load = Counter(
        lease.owner for lease in candidates if lease.owner not in (FREE, me) and lease.shard_id not in expired
    )
    share = math.ceil(len(candidates) / (len(load) + 1))
    # Each worker goes through the free ones in an order of its own, so that two of them rarely want the same.
    free.sort(key=lambda lease: hashlib.sha256(f"{me}/{lease.shard_id}".encode()).digest())
    take = free[: max(0, share - len(mine))]
    if take or not load:
        return Plan(take=take)
    coming = sum(lease.wanted_by == me for lease in candidates)
    leaving = Counter(lease.owner for lease in candidates if lease.wanted_by and lease.owner in load)
    keeping = Counter({owner: count - leaving[owner] for owner, count in load.items()})
    busiest, most = max(keeping.items(), key=lambda item: (item[1], item[0]))
    if coming or most - len(mine) < 2:
        return Plan()
    theirs = [lease for lease in candidates if lease.owner == busiest and not lease.wanted_by]
    return Plan(ask=theirs[:1])


def window(batch_size: int, crashes: int) -> int:
    """How many records of a shard may be in hand beyond its written checkpoint.

    Twice the batch, so that the next read overlaps the handling. Halved for each owner that vanished: if a record kills
    the process, this closes in on it, and the records before it get through.
    """
    return max(1, (2 * batch_size) >> min(crashes, 64))


def crash_limit(batch_size: int, max_attempts: int) -> int:
    """From this many crashes on, the record behind the checkpoint is what kills its workers.

    By then it was alone in hand `max_attempts` times.
    """
    return math.ceil(math.log2(2 * batch_size)) + max_attempts
