"""One line of progress on stderr: it moves on a terminal, and is written now and then elsewhere."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["live_line"]

_SECONDS_BETWEEN_LINES = 2.0


@contextmanager
def live_line(say: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
    """Yield the function that shows a line instead of the last one.

    Args:
        say: writes a whole line to stderr; used where stderr is no terminal, when another step has begun, and every
            two seconds while its numbers move.
    """
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            yield lambda text: status.update(text)
        return
    last_text = ""
    last_time = 0.0

    def line(text: str) -> None:
        nonlocal last_text, last_time
        now = time.monotonic()
        due = _step(text) != _step(last_text) or now - last_time >= _SECONDS_BETWEEN_LINES
        if text != last_text and due:
            last_text, last_time = text, now
            say(text)

    yield line


def _step(text: str) -> str:
    """What is being done, without its numbers."""
    return re.sub(r"\d+", "", text)
