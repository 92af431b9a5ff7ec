"""The comparison of `ops plan-scaling`, drawn in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.actions.plan_scaling.planning import Comparison

__all__ = ["print_chart", "sparkline"]

_LEVELS = " ▁▂▃▄▅▆▇█"
_WIDTH = 72


def sparkline(values: Sequence[float], width: int, top: float) -> str:
    """`values` as at most `width` bars: the largest of each part of the time, where `top` is the highest bar."""
    width = min(width, len(values))
    parts = [values[len(values) * at // width : len(values) * (at + 1) // width] for at in range(width)]
    highest = len(_LEVELS) - 1
    return "".join(_LEVELS[round(max(part) / top * highest) if top else 0] for part in parts)


def print_chart(comparison: Comparison) -> None:
    """Traffic, and the running tasks of the optimum, of what is recommended and of the baselines, over time."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    request, best = comparison.request, comparison.recommended
    rows = [comparison.optimum, best, *comparison.others]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    busiest = max(request.trace.messages_per_minute)
    table.add_row("messages a minute", sparkline(request.trace.messages_per_minute, _WIDTH, busiest), f"≤ {busiest:,}")
    for row in rows:
        line = sparkline(row.outcome.tasks_per_minute, _WIDTH, row.peak_tasks)
        style = "bold green" if row is best else ""
        table.add_row(f"tasks, {row.policy}", Text(line, style=style), f"≤ {row.peak_tasks:,}")
    deepest = max(best.outcome.waiting_per_minute)
    table.add_row("waiting, recommended", sparkline(best.outcome.waiting_per_minute, _WIDTH, deepest), f"≤ {deepest:,}")
    console = Console(file=sys.stdout)
    if not sys.stdout.isatty():
        console.width = 200
    console.print()
    console.print(table)
