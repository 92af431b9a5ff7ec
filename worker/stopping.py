"""SIGTERM and SIGINT ask the worker to stop; the second one does not ask."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from types import FrameType

__all__ = ["Stop"]

logger = logging.getLogger(__name__)


class Stop:
    """Set when the worker shall stop, by a signal or because a part of it failed."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.failed = False
        self._signals = 0
        self._first_signal: queue.SimpleQueue[None] = queue.SimpleQueue()

    def listen(self) -> None:
        """Take over SIGTERM (ECS: stop, scale-in, deploy, Spot interruption) and SIGINT. Main thread only."""
        threading.Thread(target=self._request_when_asked, name="signals", daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            os._exit(128 + number)
        # Not the event itself: its lock is not reentrant, and whom the signal interrupts may be about to wait for it.
        self._first_signal.put(None)

    def _request_when_asked(self) -> None:
        self._first_signal.get()
        self.requested.set()

    def fail(self) -> None:
        """Stop because the worker cannot go on."""
        self.failed = True
        self.requested.set()
