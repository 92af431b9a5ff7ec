"""A bar per comparison: how many times better, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.results import Row

__all__ = ["plot_ratios"]

_BETTER, _WORSE = "#2a7f62", "#b5533c"
_INCHES_PER_BAR = 0.34


def plot_ratios(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``replay.svg``, ``worker.svg``, …, one file per kind of work, which is a row's first word.

    Returns:
        The files; none where matplotlib (the extra `bench`) is not installed.
    """
    if not rows or find_spec("matplotlib") is None:
        return []
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.work.split()[0].strip(","), []).append(row)
    return [_plot(kind, group, folder / f"{kind}.svg") for kind, group in kinds.items()]


def _plot(kind: str, rows: Sequence[Row], path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.2 + _INCHES_PER_BAR * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    positions = range(len(rows))
    colours = [_BETTER if row.ratio >= 1 else _WORSE for row in rows]
    bars = axes.barh(positions, [row.ratio for row in rows], color=colours)
    axes.bar_label(bars, labels=[f"{row.ratio:.2f}" for row in rows], padding=3)
    axes.set_yticks(positions, [f"{row.work}, {row.size}: {row.peer_version.split(' (')[0]}" for row in rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel(f"{kind}: times better than the peer (over 1 is better for us)")
    figure.savefig(path, metadata={"Date": None})
    return path
