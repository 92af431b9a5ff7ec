"""`ops status --watch`: the same figures again and again, on a terminal in place, elsewhere one after the other.

It ends like ``kubectl get --watch`` and ``aws logs tail --follow``: with Ctrl-C or SIGTERM, and exit code 130.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from ops.commands.status_streams import TableRows
from ops.errors import OpsError, UsageError, explain
from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Output, table_of

if TYPE_CHECKING:
    from rich.live import Live

__all__ = ["View", "watch_view"]


@dataclass(frozen=True, kw_only=True)
class View:
    """One reading.

    Attributes:
        data: for JSON.
        tables: for people.
        notes: why something is not shown although nothing failed.
        problems: what could not be read, and why.
    """

    data: Sequence[dict[str, Any]]
    tables: Sequence[TableRows]
    notes: Sequence[str]
    problems: Sequence[str]


class _Screen(Protocol):
    def show(self, view: View, at: str) -> None: ...

    def fail(self, error: OpsError, at: str) -> None: ...


def watch_view(out: Output, read: Callable[[], View], interval_seconds: float) -> ExitCode:
    """Read and show until a signal comes. A reading that fails is told in a line, and the next one is tried.

    Raises:
        OpsError: the first reading failed: then nothing has been shown, and something is wrong with the command.
    """
    shown = False
    with stop_on_signals() as stop, _screen(out) as screen:
        while not stop.is_set():
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            try:
                view = read()
            except Exception as error:
                told = explain(error)
                if not shown or isinstance(told, UsageError):
                    raise told from error
                screen.fail(told, at)
            else:
                screen.show(view, at)
                shown = True
            stop.wait(interval_seconds)
    return ExitCode.INTERRUPTED


def _screen(out: Output) -> AbstractContextManager[_Screen]:
    if not out.json and sys.stdout.isatty():
        return _Terminal()
    return nullcontext(_Lines(out))


class _Lines:
    """One reading after the other; with JSON one line each. What could not be read is told when it is new."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._told: set[str] = set()

    def show(self, view: View, at: str) -> None:
        if self._out.json:
            self._out.object({"at": at, "patterns": view.data})
        else:
            for columns, rows, title in view.tables:
                self._out.rows(columns, rows, title or at)
        lines = [*view.notes, *view.problems]
        for line in lines:
            if line not in self._told:
                self._out.say(line)
        self._told = set(lines)

    def fail(self, error: OpsError, at: str) -> None:
        self._out.say(f"{at}: {error.message}; trying again")


class _Terminal:
    """The last reading, in place; below it what could not be read. A failed reading leaves the last one there."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live: Live = Live(console=Console(file=sys.stdout), auto_refresh=False)
        self._last: View | None = None
        self._at = ""

    def __enter__(self) -> _Terminal:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def show(self, view: View, at: str) -> None:
        self._last, self._at = view, at
        self._draw([*view.notes, *view.problems])

    def fail(self, error: OpsError, at: str) -> None:
        self._draw([f"{at}: {error.message}; trying again"])

    def _draw(self, lines: Sequence[str]) -> None:
        from rich.console import Group
        from rich.text import Text

        tables = [table_of(*table) for table in self._last.tables] if self._last else []
        below = [Text(line, style="yellow") for line in lines]
        head = Text(f"{self._at}, Ctrl-C ends", style="dim")
        self._live.update(Group(head, *tables, *below), refresh=True)
