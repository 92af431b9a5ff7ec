"""Shows how far a replay is: a bar on a terminal, a line every few seconds elsewhere. Always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ops.output import Output

if TYPE_CHECKING:
    from ops.actions.replay.client_engine import Progress
    from ops.actions.replay.tally import Tally

__all__ = ["show_progress"]

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def show_progress(output: Output, name: str) -> Iterator[Progress]:
    """Yield the function that takes the numbers of the queue `name`."""
    if not sys.stderr.isatty():
        yield _Lines(output, name)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[numbers]}")
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None, numbers="")

        def update(tally: Tally, found: int, seconds: float) -> None:
            done = tally.moved + tally.skipped + tally.failed
            bar.update(task, total=found or None, completed=done, numbers=_numbers(tally, found, seconds))

        yield update


class _Lines:
    def __init__(self, output: Output, name: str) -> None:
        self._output = output
        self._name = name
        self._last = 0.0

    def __call__(self, tally: Tally, found: int, seconds: float) -> None:
        if seconds - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = seconds
            self._output.say(f"{self._name}: {_numbers(tally, found, seconds)}")


def _numbers(tally: Tally, found: int, seconds: float) -> str:
    left = max(0, found - tally.moved - tally.skipped - tally.failed)
    rate = tally.moved / seconds if seconds > 0 else 0.0
    return f"{tally.moved}/{found} moved, {rate:.0f}/s, {left} left, {tally.failed} failed, {tally.skipped} skipped"
