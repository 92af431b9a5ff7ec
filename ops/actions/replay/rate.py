"""Paces a run to a number of messages per second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]


class Pace:
    """Hands out time slots, first come first served; without a rate every slot is now.

    Args:
        per_second: messages per second, over 0; None does not limit.
        clock: seconds that only grow.
    """

    def __init__(self, per_second: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    @property
    def largest_batch(self) -> int:
        """How many messages to take at once, 1 to 10, so that a slow pace stays even."""
        return 10 if self._per_second is None else max(1, min(10, int(self._per_second)))

    def reserve(self, messages: int) -> float:
        """Take a slot for so many messages; return the seconds to wait until it begins."""
        if self._per_second is None:
            return 0.0
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + messages / self._per_second
            return start - now

    def give_back(self, messages: int) -> None:
        """Return what a reservation did not use."""
        if self._per_second is not None and messages > 0:
            with self._lock:
                self._next -= messages / self._per_second
