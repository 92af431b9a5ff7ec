"""One shard that this task holds: its lease, its progress, and the thread that reads it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from worker import logs
from worker.logs import Field
from worker.sources.stream.kinesis import Reader, retrying
from worker.sources.stream.lanes import Lanes
from worker.sources.stream.leases import Lease, Shard, crash_limit, window
from worker.sources.stream.progress import Progress

__all__ = ["Holding", "WorkerCrashedError"]

logger = logging.getLogger(__name__)


class WorkerCrashedError(Exception):
    """A record was alone in hand each time when a worker vanished: it is not handed to another one."""


class Holding:
    """From taking a lease to letting it go. Thread-safe; compared by identity.

    The lease is in force until `valid_until`, by this task's clock; nothing of the shard is begun after that.

    Args:
        lease: as it was taken.
        valid_until: seconds, monotonic.
        batch_size: records per read.
        max_attempts: of the handler with one record.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        lease: Lease,
        valid_until: float,
        *,
        batch_size: int,
        max_attempts: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lease = lease
        self.valid_until = valid_until
        self.progress = Progress(lease.checkpoint)
        self.behind_seconds = 0.0
        self.children: Sequence[Shard] = ()
        self.ended = False
        """Read to its end."""
        self.draining = threading.Event()
        self._batch_size = batch_size
        self._max_attempts = max_attempts
        self._clock = clock
        self._keys: set[str] = set()
        self._keys_lock = threading.Lock()
        self._reading = threading.Event()
        self._reading.set()

    @property
    def shard_id(self) -> str:
        return self.lease.shard_id

    @property
    def reading(self) -> bool:
        """Whether the reader may still bring records."""
        return self._reading.is_set()

    def remaining_seconds(self) -> float:
        """For how long nobody else can hold the shard; 0 when that is over."""
        return max(0.0, self.valid_until - self._clock())

    def begin(self, key: str) -> None:
        """An event with this idempotency key is being handled."""
        with self._keys_lock:
            self._keys.add(key)

    def end(self, key: str) -> None:
        with self._keys_lock:
            self._keys.discard(key)

    def keys_in_hand(self) -> list[str]:
        """Idempotency keys of the events that are being handled."""
        with self._keys_lock:
            return sorted(self._keys)

    def lag_seconds(self) -> float:
        """How far behind the newest record this shard's handling is."""
        return max(self.behind_seconds, self.progress.oldest_age_seconds())

    def read(self, reader: Reader, lanes: Lanes[Holding]) -> None:
        """Keep the lanes supplied until the shard ends or is drained."""
        read = retrying(reader, self.shard_id, stopped=self.draining.is_set, wait=self.draining.wait)
        suspect = self.lease.crashes >= crash_limit(self._batch_size, self._max_attempts)
        try:
            with logs.context(**{Field.SHARD: self.shard_id}):
                while not self.draining.is_set() and not self.ended:
                    crashes = self.lease.crashes
                    room = self.progress.wait_for_room(
                        window(self._batch_size, crashes), 0.5, until_written=crashes > 0
                    )
                    if not room:
                        continue
                    batch = read(min(room, self._batch_size))
                    if batch.behind_seconds is not None:
                        self.behind_seconds = batch.behind_seconds
                    self.progress.add(batch.records)
                    given_up = self._suspicion() if suspect and batch.records else None
                    suspect = suspect and given_up is None
                    lanes.add(self, batch.records, given_up=given_up)
                    self.children, self.ended = batch.children, batch.ended
        finally:
            reader.close()
            self._reading.clear()

    def _suspicion(self) -> WorkerCrashedError:
        return WorkerCrashedError(
            f"{self.lease.crashes} workers in a row vanished before they had handled anything beyond the checkpoint "
            f"{self.lease.checkpoint}; this is the record behind it"
        )
