"""Finds shards for this task: makes leases for new shards, takes free ones, asks for some of a busier worker's."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from worker.backoff import spread
from worker.logs import Field
from worker.sources.stream import leases as rules
from worker.sources.stream.kinesis import error_code
from worker.sources.stream.leases import Birth, Lease, Shard, Watch
from worker.sources.stream.settings import Start

__all__ = ["Balancer", "Leases"]

SYNC_SECONDS = 60.0
"""Between two looks at the stream's shards; the end of a shard tells its children at once."""
MAX_SCAN_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Leases(Protocol):
    """What the balancer needs of the lease table."""

    def read(self) -> dict[str, Lease]: ...

    def birth(self, mine: Birth) -> Birth: ...

    def create(self, lease: Lease) -> bool: ...

    def take(self, lease: Lease, me: str) -> Lease | None: ...

    def ask(self, lease: Lease, me: str) -> Lease | None: ...

    def forget(self, lease: Lease) -> None: ...


class Balancer:
    """One per task.

    Args:
        table: of the leases.
        list_shards: of the stream.
        me: this worker's name, of this process and no other.
        holds: whether this worker keeps the lease of a shard.
        begin: starts to work on a lease that was taken; with the time (`clock`) before the write was sent.
        start: where a new application begins.
        lease_seconds: of a lease.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        table: Leases,
        list_shards: Callable[[], Sequence[Shard]],
        me: str,
        *,
        holds: Callable[[str], bool],
        begin: Callable[[Lease, float], None],
        start: Start,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._list_shards = list_shards
        self._me = me
        self._holds = holds
        self._begin = begin
        self._start = start
        self._clock = clock
        self._watch = Watch(lease_seconds)
        self._scan_seconds = min(MAX_SCAN_SECONDS, lease_seconds / 4)
        self._woken = threading.Event()
        self._sync_at = clock()

    def wake(self) -> None:
        """Something has changed: look soon."""
        self._woken.set()

    def run(self, stopping: threading.Event) -> None:
        """Look for work until `stopping`."""
        failures = 0
        while not stopping.is_set():
            try:
                self.tick()
            except (ClientError, BotoCoreError) as error:
                failures += 1
                logger.error(
                    "cannot look for shards; trying again",
                    extra={Field.ERROR: error_code(error), Field.REASON: str(error)},
                )
            else:
                failures = 0
            # Spread, so that workers that started together do not scan together.
            self._woken.wait(spread(min(self._scan_seconds * 2 ** min(failures, 3), 30.0)))
            if self._woken.is_set():
                self._woken.clear()
                stopping.wait(0.05)  # what ends together is looked at once

    def tick(self) -> None:
        """Look once.

        Raises:
            ClientError, BotoCoreError: the table or the stream cannot be asked.
        """
        leases = self._read()
        if not leases or self._clock() >= self._sync_at:
            self._sync(leases)
            self._sync_at = self._clock() + SYNC_SECONDS
            leases = self._read()
        now = self._clock()
        expired = {shard for shard, lease in leases.items() if self._watch.expired(lease, now)}
        for lease in self._mine_unknown(leases):
            self._take(lease)
        todo = rules.plan(leases, self._me, expired)
        for lease in todo.take:
            self._take(lease)
        for lease in todo.ask:
            if self._table.ask(lease, self._me):
                logger.info("asked another worker for a shard", extra={Field.SHARD: lease.shard_id})

    def _read(self) -> dict[str, Lease]:
        leases = self._table.read()
        self._watch.observe(leases.values(), self._clock())
        return leases

    def _sync(self, leases: Mapping[str, Lease]) -> None:
        shards = self._list_shards()
        birth = None
        if self._start is Start.LATEST:
            mine = Birth(
                milliseconds=int(time.time() * 1000),
                open=frozenset(shard.id for shard in shards if shard.open),
                closed=frozenset(shard.id for shard in shards if not shard.open),
            )
            birth = self._table.birth(mine)
        created = [lease for lease in rules.missing(shards, leases.keys(), birth) if self._table.create(lease)]
        if created:
            logger.info("made leases for %d shards", len(created))
        for lease in rules.forgettable(leases, shards):
            self._table.forget(lease)

    def _mine_unknown(self, leases: Mapping[str, Lease]) -> list[Lease]:
        """Leases that were taken with a write whose answer was lost."""
        return [lease for lease in rules.ready(leases) if lease.owner == self._me and not self._holds(lease.shard_id)]

    def _take(self, lease: Lease) -> None:
        sent_at = self._clock()
        taken = self._table.take(lease, self._me)
        if taken is not None:
            how = "took over" if lease.owner not in (rules.FREE, self._me) else "took"
            logger.info("%s a shard", how, extra={Field.SHARD: lease.shard_id})
            self._begin(taken, sent_at)
