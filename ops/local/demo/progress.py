"""One line of progress for each demo on stderr: it moves on a terminal, and is written now and then elsewhere."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Show", "live_lines"]

_SECONDS_BETWEEN_LINES = 2.0

Show = Callable[[str, str], None]
"""Takes the name of a demo and what it is doing. May be called from any thread."""


@contextmanager
def live_lines(say: Callable[[str], None]) -> Iterator[Show]:
    """Yield the function that shows a demo's line instead of its last one.

    Args:
        say: writes a whole line to stderr; used where stderr is no terminal, when a demo has begun another step, and
            every two seconds while its numbers move.
    """
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            current: dict[str, str] = {}

            def update(name: str, text: str) -> None:
                current[name] = text
                status.update("\n".join(f"{one}: {line}" for one, line in current.items()))

            yield _serialised(update)
        return
    last: dict[str, tuple[str, float]] = {}

    def write(name: str, text: str) -> None:
        now = time.monotonic()
        last_text, last_time = last.get(name, ("", 0.0))
        due = _step(text) != _step(last_text) or now - last_time >= _SECONDS_BETWEEN_LINES
        if text != last_text and due:
            last[name] = text, now
            say(f"{name}: {text}")

    yield _serialised(write)


def _serialised(show: Show) -> Show:
    lock = threading.Lock()

    def locked(name: str, text: str) -> None:
        with lock:
            show(name, text)

    return locked


def _step(text: str) -> str:
    """What is being done, without its numbers."""
    return re.sub(r"\d+", "", text)
