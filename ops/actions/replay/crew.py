"""The lanes of a run as threads: as many as keep this machine's processor busy, and no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["FIRST_LANES", "Crew"]

FIRST_LANES = 8
"""Enough where an answer takes a millisecond: there, more threads only wait for each other."""
_BUSY = 0.7


class Crew:
    """Starts with a few lanes; adds half as many again whenever the processor has waited for answers.

    Args:
        work: what a lane does; it ends by itself.
        most: lanes in the end, 0 or more.
        wall_clock, processor_clock: seconds that only grow, and seconds of the processor that this process has used.
    """

    def __init__(
        self,
        work: Callable[[], None],
        most: int,
        wall_clock: Callable[[], float] = time.monotonic,
        processor_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._work = work
        self._most = most
        self._wall_clock = wall_clock
        self._processor_clock = processor_clock
        self._lanes: list[threading.Thread] = []
        self._looked_at = wall_clock(), processor_clock()
        self._add(FIRST_LANES)

    @property
    def lanes(self) -> int:
        """How many were started."""
        return len(self._lanes)

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; False when some lane still works."""
        deadline = time.monotonic() + seconds
        for lane in self._lanes:
            lane.join(max(0.0, deadline - time.monotonic()))
            if lane.is_alive():
                return False
        return True

    def grow(self) -> None:
        """Add lanes, unless the processor was busy since the last look."""
        wall, processor = self._wall_clock(), self._processor_clock()
        waited = processor - self._looked_at[1] < _BUSY * (wall - self._looked_at[0])
        self._looked_at = wall, processor
        if waited and len(self._lanes) < self._most:
            self._add(len(self._lanes) // 2)

    def _add(self, lanes: int) -> None:
        for number in range(len(self._lanes), min(self._most, len(self._lanes) + lanes)):
            lane = threading.Thread(target=self._work, name=f"lane-{number}")
            self._lanes.append(lane)
            lane.start()
