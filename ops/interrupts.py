"""Ctrl-C, SIGTERM and a closed terminal as an event that long work looks at."""

from __future__ import annotations

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

    def first(number: int, frame: FrameType | None) -> None:
        stop.set()
        for name, previous in before.items():
            signal.signal(name, previous)

    before = {name: signal.signal(name, first) for name in _SIGNALS}
    try:
        yield stop
    finally:
        for name, previous in before.items():
            signal.signal(name, previous)
