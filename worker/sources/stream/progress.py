"""How far one shard is: everything up to the checkpoint was settled, whatever was settled beyond it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from worker.sources.stream.records import Record

__all__ = ["Progress"]


class Progress:
    """The records of one shard between its written checkpoint and the last one read. Thread-safe; one thread reads.

    Args:
        checkpoint: as it is in the table.
    """

    def __init__(self, checkpoint: str) -> None:
        self._changed = threading.Condition()
        self._order: deque[Record] = deque()
        self._settled: set[Record] = set()
        self._reached = checkpoint
        self._unwritten = 0
        self._written = checkpoint
        self._wakes: Callable[[], bool] | None = None

    def add(self, records: Sequence[Record]) -> None:
        """Take in what was read, in order."""
        with self._changed:
            self._order.extend(records)

    def settle(self, record: Record) -> None:
        """A record was handled, or is in the on-failure queue."""
        with self._changed:
            self._settled.add(record)
            while self._order and self._order[0] in self._settled:
                first = self._order.popleft()
                self._settled.remove(first)
                self._reached = first.sequence_number
                self._unwritten += 1
            self._wake()

    def reached(self) -> tuple[str, int]:
        """The checkpoint to write, and the token for `written`."""
        with self._changed:
            return self._reached, self._unwritten

    def written(self, checkpoint: str, token: int) -> None:
        """The table has this checkpoint now."""
        with self._changed:
            self._written = checkpoint
            self._unwritten -= token
            self._wake()

    @property
    def dirty(self) -> bool:
        """Whether there is a checkpoint to write."""
        with self._changed:
            return self._reached != self._written

    @property
    def empty(self) -> bool:
        """Whether everything that was read is settled."""
        with self._changed:
            return not self._order

    def wait_for_room(self, limit: int, timeout_seconds: float, *, until_written: bool) -> int:
        """How many more records may be read, once it is at least half of `limit`; 0 after `timeout_seconds`.

        Args:
            limit: records in hand at most.
            timeout_seconds: to wait at most.
            until_written: whether a record is in hand until the table knows that it is settled.
        """
        with self._changed:

            def room() -> int:
                return limit - len(self._order) - (self._unwritten if until_written else 0)

            def enough() -> bool:
                return room() >= max(1, limit // 2)

            self._wakes = enough
            self._changed.wait_for(enough, timeout_seconds)
            self._wakes = None
            return room() if enough() else 0

    def _wake(self) -> None:
        """Only for what is waited for: to wake a thread for each record costs more than most handlers."""
        if self._wakes is not None and self._wakes():
            self._changed.notify_all()

    def oldest_age_seconds(self) -> float:
        """How long ago the first record that is not settled arrived; 0 when there is none."""
        with self._changed:
            return max(0.0, time.time() - self._order[0].arrived_at.timestamp()) if self._order else 0.0
