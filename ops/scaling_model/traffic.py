"""Traffic: how many messages arrive in each minute, from a file or as a named shape."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

__all__ = ["MINUTE_SECONDS", "Shape", "Trace", "TraceError", "format_trace", "parse_trace", "shaped"]

MINUTE_SECONDS = 60
_COLUMNS = ["minute", "messages"]
_MAX_MINUTES = 15 * 24 * 60
"""CloudWatch keeps one-minute data for 15 days; a longer trace has no source."""


class TraceError(ValueError):
    """A trace that cannot be read; says where, what is there and what is allowed."""


class Shape(StrEnum):
    """Traffic that is named instead of recorded."""

    STEADY = "steady"
    """Six hours of 240 messages a minute, with the scatter of independent senders."""
    UNPREDICTABLE = "unpredictable"
    """Twelve hours; every 10 to 60 minutes the rate jumps to another one between 30 and 600 a minute."""
    BURST = "burst"
    """Six hours of 30 a minute, and 2,000 within one minute once an hour."""
    DAILY = "daily"
    """A day: 20 a minute at night, 500 at noon, smoothly."""


@dataclass(frozen=True)
class Trace:
    """Messages that arrive in each minute.

    Attributes:
        name: for tables.
        messages_per_minute: one whole number of 0 or more for each minute; at least one.
    """

    name: str
    messages_per_minute: tuple[int, ...]

    @property
    def minutes(self) -> int:
        return len(self.messages_per_minute)

    @property
    def messages(self) -> int:
        return sum(self.messages_per_minute)


def parse_trace(lines: Iterable[str], name: str) -> Trace:
    """A trace from CSV: the header ``minute,messages`` and a row for each minute with traffic.

    Minutes ascend from 0; one that is left out has no messages.

    Raises:
        TraceError: with the number of the line, its value, and what is allowed.
    """
    counts: list[int] = []
    rows = csv.reader(lines)
    header = next(rows, None)
    if header is None:
        raise TraceError(f"{name} is empty; it needs the header `minute,messages` and a row for each minute")
    if [cell.strip() for cell in header] != _COLUMNS:
        raise TraceError(f"{name}, line 1: the header is {','.join(header)!r}; it must be `minute,messages`")
    for row in rows:
        if not row:
            continue
        where = f"{name}, line {rows.line_num}"
        if len(row) != len(_COLUMNS):
            raise TraceError(f"{where}: {','.join(row)!r} has {len(row)} columns; it must have 2, minute and messages")
        minute = _whole(row[0], where, "minute")
        messages = _whole(row[1], where, "messages")
        if minute < len(counts):
            raise TraceError(f"{where}: minute is {minute}, after {len(counts) - 1}; minutes must ascend")
        if minute >= _MAX_MINUTES:
            raise TraceError(f"{where}: minute is {minute}; at most {_MAX_MINUTES - 1} (15 days) is allowed")
        counts += [0] * (minute - len(counts)) + [messages]
    if not any(counts):
        raise TraceError(f"{name} has no messages; there is nothing to plan for")
    return Trace(name, tuple(counts))


def _whole(text: str, where: str, column: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise TraceError(f"{where}: {column} is {text.strip()!r}; allowed is a whole number of 0 or more")
    return number


def format_trace(trace: Trace) -> str:
    """The CSV that `parse_trace` reads."""
    rows = [f"{minute},{messages}" for minute, messages in enumerate(trace.messages_per_minute)]
    return "\n".join([",".join(_COLUMNS), *rows, ""])


def shaped(shape: Shape) -> Trace:
    """The trace of a shape: the same on every machine, because its scatter has a fixed seed."""
    scatter = random.Random(f"eda-{shape}")
    return Trace(str(shape), tuple(_arrivals(scatter, rate) for rate in _RATES[shape](scatter)))


def _arrivals(scatter: random.Random, rate: float) -> int:
    """Poisson arrivals, by the normal approximation (good from 20 a minute on, which is the least here)."""
    # The open interval keeps inv_cdf defined.
    quantile = NormalDist().inv_cdf(min(max(scatter.random(), 1e-12), 1 - 1e-12))
    return max(0, round(rate + math.sqrt(rate) * quantile))


def _steady(_: random.Random) -> list[float]:
    return [240.0] * 360


def _unpredictable(scatter: random.Random) -> list[float]:
    rates: list[float] = []
    while len(rates) < 720:
        level = 30 * 20 ** scatter.random()  # as many jumps among small rates as among large ones
        rates += [level] * (10 + int(scatter.random() * 51))
    return rates[:720]


def _burst(_: random.Random) -> list[float]:
    return [2000.0 if minute % 60 == 30 else 30.0 for minute in range(360)]


def _daily(_: random.Random) -> list[float]:
    return [260 - 240 * math.cos(2 * math.pi * minute / 1440) for minute in range(1440)]


_RATES: dict[Shape, Callable[[random.Random], list[float]]] = {
    Shape.STEADY: _steady,
    Shape.UNPREDICTABLE: _unpredictable,
    Shape.BURST: _burst,
    Shape.DAILY: _daily,
}
