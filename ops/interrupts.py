"""Ctrl-C, SIGTERM and a closed terminal as an event that long work looks at."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that the first signal sets; a second one ends the process as if nobody handled it.

    Outside the main thread (where Python cannot handle signals) the event is plain.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    # The handler does not set the event: its lock is not reentrant, and whom the signal interrupts may begin to wait.
    heard: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def first(number: int, frame: FrameType | None) -> None:
        heard.put(True)
        for name, previous in before.items():
            signal.signal(name, previous)

    def set_when_heard() -> None:
        if heard.get():
            stop.set()

    threading.Thread(target=set_when_heard, name="signals", daemon=True).start()
    before = {name: signal.signal(name, first) for name in _SIGNALS}
    try:
        yield stop
    finally:
        for name, previous in before.items():
            signal.signal(name, previous)
        heard.put(False)
