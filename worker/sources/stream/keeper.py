"""Keeps the leases of this task: renews, writes checkpoints, lets go."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from worker.execution import Executor
from worker.logs import Field
from worker.sources.stream.holding import Holding
from worker.sources.stream.kinesis import error_code
from worker.sources.stream.lanes import Lanes
from worker.sources.stream.leases import SHARD_END, Lease

__all__ = ["CHECKPOINT_SECONDS", "VALID_SHARE", "Keeper", "Leases"]

VALID_SHARE = 0.9
"""The part of a lease that its owner counts on: what is left covers the work between a look at the clock and its
effect, and clocks that do not run at the same speed."""
CHECKPOINT_SECONDS = 1.0
"""Between two checkpoints of a shard: after a crash, up to this much is read again and recognised by its keys."""
TICK_SECONDS = 0.05

logger = logging.getLogger(__name__)


class Leases(Protocol):
    """What the keeper needs of the lease table."""

    def create(self, lease: Lease) -> bool: ...

    def renew(self, lease: Lease, checkpoint: str, crashes: int) -> Lease | None: ...

    def release(self, lease: Lease, checkpoint: str, crashes: int) -> Lease | None: ...


class Keeper:
    """The shards that this task holds.

    Args:
        table: of the leases.
        lanes: whose records are dropped with their shard.
        executor: whose idempotency records are extended with the leases.
        lease_seconds: of a lease.
        on_change: called when a shard has ended or was let go, so that somebody looks for work.
        clock: seconds, monotonic; the holdings' clock.
    """

    def __init__(
        self,
        table: Leases,
        lanes: Lanes[Holding],
        executor: Executor,
        *,
        lease_seconds: float,
        on_change: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._lanes = lanes
        self._executor = executor
        self._lease_seconds = lease_seconds
        self._on_change = on_change
        self._clock = clock
        self._changed = threading.Condition()
        self._holdings: dict[str, Holding] = {}
        self._renewed_at: dict[Holding, float] = {}
        self._lost: list[Holding] = []
        self._closing = False

    def valid_until(self, sent_at: float) -> float:
        """Until when a lease is in force whose write was sent at `sent_at`."""
        return sent_at + VALID_SHARE * self._lease_seconds

    def holdings(self) -> list[Holding]:
        with self._changed:
            return list(self._holdings.values())

    def holds(self, shard_id: str) -> bool:
        with self._changed:
            return shard_id in self._holdings

    def add(self, holding: Holding) -> None:
        """Keep a lease that was just taken."""
        with self._changed:
            self._holdings[holding.shard_id] = holding
            self._renewed_at[holding] = self._clock()
            closing = self._closing
        if closing:
            self.drain(holding)

    def drain(self, holding: Holding) -> None:
        """Begin nothing more of this shard, and let go of it when what was begun has ended."""
        holding.draining.set()
        self._lanes.drop(holding)

    def close(self) -> None:
        """Drain everything, also what comes from now on."""
        with self._changed:
            self._closing = True
        for holding in self.holdings():
            self.drain(holding)

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._holdings, timeout_seconds)

    def run(self, ended: threading.Event) -> None:
        """Keep the leases until `ended` is set."""
        while not ended.wait(TICK_SECONDS):
            self.tick()

    def tick(self) -> None:
        """What is due now."""
        for holding in self.holdings():
            self._tend(holding)
        for holding in [holding for holding in self._lost if not self._lanes.in_hand(holding)]:
            self._lanes.forget(holding)
            self._lost.remove(holding)

    def _tend(self, holding: Holding) -> None:
        if not holding.remaining_seconds():
            self._lose(holding, "it could not be renewed in time")
        elif not holding.reading and holding.ended and holding.progress.empty and not holding.draining.is_set():
            self._finish(holding)
        elif not holding.reading and holding.draining.is_set() and not self._lanes.in_hand(holding):
            self._release(holding, holding.progress.reached()[0])
        elif self._due(holding):
            self._renew(holding)

    def _due(self, holding: Holding) -> bool:
        since = self._clock() - self._renewed_at[holding]
        if holding.progress.dirty:
            # Where workers vanish, a record counts as handled only when the table knows.
            return since >= CHECKPOINT_SECONDS or holding.lease.crashes > 0
        return since >= self._lease_seconds / 4

    def _renew(self, holding: Holding) -> None:
        sent_at = self._clock()
        checkpoint, token = holding.progress.reached()
        # Also after a failure: not sooner than the next tick that is due.
        self._renewed_at[holding] = sent_at
        try:
            lease = self._table.renew(holding.lease, checkpoint, _crashes(holding.lease, checkpoint))
        except (ClientError, BotoCoreError) as error:
            self._complain("renew", holding, error)
            return
        if lease is None:
            self._lose(holding, "another worker has taken it")
            return
        holding.lease = lease
        holding.valid_until = self.valid_until(sent_at)
        holding.progress.written(checkpoint, token)
        for key in holding.keys_in_hand():
            self._executor.extend(key, holding.remaining_seconds())
        if lease.wanted_by and not holding.draining.is_set():
            logger.info("handing a shard over to another worker", extra={Field.SHARD: holding.shard_id})
            self.drain(holding)

    def _finish(self, holding: Holding) -> None:
        """Parents before children: the shard counts as ended only when its children have leases."""
        try:
            for child in holding.children:
                self._table.create(Lease(shard_id=child.id, parents=child.parents))
        except (ClientError, BotoCoreError) as error:
            self._complain("make the children of", holding, error)
            self._renew(holding)
            return
        self._release(holding, SHARD_END)

    def _release(self, holding: Holding, checkpoint: str) -> None:
        try:
            self._table.release(holding.lease, checkpoint, _crashes(holding.lease, checkpoint))
        except (ClientError, BotoCoreError) as error:
            self._complain("release", holding, error)
            return  # tried again until the lease lapses
        what = "a shard has ended" if checkpoint == SHARD_END else "released a shard"
        logger.info(what, extra={Field.SHARD: holding.shard_id})
        self._lanes.drop(holding)
        self._lanes.forget(holding)
        self._remove(holding)

    def release_unfinished(self) -> None:
        """Let go of everything, although it is being handled: this process ends now."""
        for holding in self.holdings():
            for key in holding.keys_in_hand():
                self._executor.abandon(key)
            self._release(holding, holding.progress.reached()[0])

    def _lose(self, holding: Holding, why: str) -> None:
        logger.warning("lost a shard: %s", why, extra={Field.SHARD: holding.shard_id})
        self.drain(holding)
        self._lost.append(holding)
        self._remove(holding)

    def _remove(self, holding: Holding) -> None:
        with self._changed:
            self._holdings.pop(holding.shard_id, None)
            self._renewed_at.pop(holding, None)
            self._changed.notify_all()
        self._on_change()

    def _complain(self, what: str, holding: Holding, error: ClientError | BotoCoreError) -> None:
        logger.error(
            "cannot %s a lease; trying again until it lapses",
            what,
            extra={Field.SHARD: holding.shard_id, Field.ERROR: error_code(error), Field.REASON: str(error)},
        )


def _crashes(lease: Lease, checkpoint: str) -> int:
    return lease.crashes if checkpoint == lease.checkpoint else max(0, lease.crashes - 1)
