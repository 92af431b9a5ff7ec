"""The numbers of one run, as they grow."""

from __future__ import annotations

import threading
from collections import Counter

__all__ = ["Tally"]


class Tally:
    """Counters that lanes add to and the progress line reads.

    Attributes:
        moved: sent on (by this run, or by an interrupted one whose journal says so) and gone from the queue.
        recovered: of those, what an interrupted run had sent and this one only deleted.
        skipped: refused on purpose, with a reason; or left out.
        left_out: of those, what the filters of the command did not select.
        failed: tried in vain, with a reason.
        late: came after the start; left alone.
        duplicates_possible: sent although an earlier attempt may have arrived.
        reasons: reason → messages, of skipped and failed.
        destinations: name of a destination → messages moved there, or with a dry run would be.
    """

    def __init__(self) -> None:
        self.moved = 0
        self.recovered = 0
        self.skipped = 0
        self.left_out = 0
        self.failed = 0
        self.late = 0
        self.duplicates_possible = 0
        self.reasons: Counter[str] = Counter()
        self.destinations: Counter[str] = Counter()
        self._lock = threading.Lock()

    def move(self, messages: int, recovered: int = 0) -> None:
        with self._lock:
            self.moved += messages
            self.recovered += recovered

    def sent_to(self, destination: str, messages: int) -> None:
        with self._lock:
            self.destinations[destination] += messages

    def skip(self, reason: str) -> None:
        with self._lock:
            self.skipped += 1
            self.reasons[reason] += 1

    def leave_out(self, reason: str) -> None:
        with self._lock:
            self.skipped += 1
            self.left_out += 1
            self.reasons[reason] += 1

    def fail(self, reason: str, messages: int = 1) -> None:
        with self._lock:
            self.failed += messages
            self.reasons[reason] += messages

    def come_late(self) -> None:
        with self._lock:
            self.late += 1

    def may_duplicate(self, messages: int) -> None:
        with self._lock:
            self.duplicates_possible += messages
