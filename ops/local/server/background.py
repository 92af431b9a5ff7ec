"""Background loops that never die: an error is logged once, and the loop goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["log_once", "repeat", "start_thread"]

logger = logging.getLogger("ops.local.server")

_logged: set[tuple[str, str]] = set()


@contextmanager
def log_once(what: str) -> Iterator[None]:
    """Swallow and log an error of a background job; the same job's same error is logged only the first time."""
    try:
        yield
    except Exception as error:
        seen = (what, f"{type(error).__name__}: {error}")
        if seen not in _logged:
            _logged.add(seen)
            logger.exception("%s failed; this error is not logged again", what)


def start_thread(work: Callable[[], None], *, name: str) -> threading.Thread:
    """Start a daemon thread."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def repeat(work: Callable[[float], None], *, every_seconds: float, name: str) -> threading.Thread:
    """Call ``work(boundary)`` in a thread at each multiple of ``every_seconds`` of the wall clock, for ever.

    ``boundary`` is the multiple (epoch seconds). A call that takes too long skips the boundaries that it missed.
    """

    def loop() -> None:
        while True:
            boundary = (time.time() // every_seconds + 1) * every_seconds
            time.sleep(max(0.0, boundary - time.time()))
            with log_once(name):
                work(boundary)

    return start_thread(loop, name=name)
