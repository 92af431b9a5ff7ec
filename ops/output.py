"""Data on stdout (a table or JSON), talk on stderr. Rich is imported only where it draws."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Format", "Output", "table_of"]


class Format(StrEnum):
    """`--output`."""

    TABLE = "table"
    JSON = "json"


class Output:
    """Where a command writes. Colour and live progress only on a terminal, and never with NO_COLOR set.

    Args:
        format: how data is written to stdout.
    """

    def __init__(self, format: Format = Format.TABLE) -> None:  # noqa: A002 - the name of the option
        self.format = format

    @property
    def json(self) -> bool:
        return self.format is Format.JSON

    @property
    def interactive(self) -> bool:
        """True when a question can be asked: somebody types, and sees what is written to stderr."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def say(self, text: str) -> None:
        """One line of talk."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the place that prints

    def line(self, text: str) -> None:
        """One line of data for people, where a table would come too late."""
        self._write(text)

    def object(self, value: object) -> None:
        """One JSON object (a dataclass or a mapping) on one line of stdout."""
        self._write(json.dumps(_plain(value), ensure_ascii=False))

    def rows(self, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], title: str = "") -> None:
        """A table of rows, or a JSON list of them. A value of None is shown as ``-`` in a table."""
        rows = list(rows)
        if self.json:
            self._write(json.dumps([_plain(row) for row in rows], ensure_ascii=False))
            return
        from rich.console import Console

        console = Console(file=sys.stdout)
        if not sys.stdout.isatty():
            # A pipe has no width: never fold or cut what a script may read.
            console.width = max(200, *(sum(len(_cell(row.get(c))) + 4 for c in columns) for row in rows), 0)
        console.print(table_of(columns, rows, title))

    def facts(self, pairs: Mapping[str, Any]) -> None:
        """Names and values, one per line; with JSON one object."""
        if self.json:
            self.object(pairs)
            return
        width = max((len(name) for name in pairs), default=0)
        for name, value in pairs.items():
            self._write(f"{name.replace('_', ' '):<{width}}  {_cell(value)}")

    @staticmethod
    def _write(text: str) -> None:
        print(text, file=sys.stdout, flush=True)  # noqa: T201 - this is the place that prints


def table_of(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """The table that `Output.rows` prints, for who draws it himself."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric and rows else "left")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    return table


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 3)
    return value if isinstance(value, str | int | bool | None) else str(value)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "-"
    return str(value)
