"""At most so many a second, for all threads together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]


class Pace:
    """Hands out one slot every ``1 / per_second`` seconds; unused slots are not saved up. Thread-safe."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> None:
        """Return when it is this caller's turn."""
        with self._lock:
            slot = max(self._next, self._clock())
            self._next = slot + self._interval
        while (left := slot - self._clock()) > 0:
            self._sleep(left)
