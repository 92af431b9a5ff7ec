"""Paces a run to a number of messages per second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]

_FIRST_SHARE = 0.1


class Pace:
    """Hands out time slots, first come first served; without a rate every slot is now.

    Args:
        per_second: messages per second, over 0; None does not limit.
        clock: seconds that only grow.
        ramp_up_seconds: the pace grows evenly from a tenth of the rate to all of it in this time; 0 or more.
    """

    def __init__(
        self, per_second: float | None, clock: Callable[[], float] = time.monotonic, ramp_up_seconds: float = 0.0
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._begun = self._next = clock()
        self._ramp_up_seconds = ramp_up_seconds
        self._lock = threading.Lock()

    @property
    def largest_batch(self) -> int:
        """How many messages to take at once, 1 to 10, so that a slow pace stays even."""
        return 10 if self._per_second is None else max(1, min(10, int(self._at(self._clock()))))

    def reserve(self, messages: int) -> float:
        """Take a slot for so many messages; return the seconds to wait until it begins."""
        if self._per_second is None:
            return 0.0
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + messages / self._at(start)
            return start - now

    def give_back(self, messages: int) -> None:
        """Return what a reservation did not use."""
        if self._per_second is not None and messages > 0:
            with self._lock:
                self._next -= messages / self._at(self._next)

    def _at(self, moment: float) -> float:
        """Messages per second at that time."""
        assert self._per_second is not None
        if self._ramp_up_seconds <= 0:
            return self._per_second
        grown = min(1.0, max(0.0, moment - self._begun) / self._ramp_up_seconds)
        return self._per_second * (_FIRST_SHARE + (1 - _FIRST_SHARE) * grown)
