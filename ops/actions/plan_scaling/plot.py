"""The comparison as a picture, with matplotlib where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ops.actions.plan_scaling.planning import Comparison, Row
from ops.errors import OpsError, UsageError

__all__ = ["PLOT_SUFFIXES", "check_plot", "draw"]

PLOT_SUFFIXES = (".png", ".svg")


def check_plot(path: Path) -> None:
    """Refuse a picture that could not be drawn, before the simulation runs.

    Raises:
        UsageError: neither PNG nor SVG, or no such folder.
        OpsError: matplotlib is not installed.
    """
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(f"--plot {path}: the file must end with {' or '.join(PLOT_SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise OpsError("--plot needs matplotlib, which is not installed", "pip install 'eda[plot]'")


def draw(comparison: Comparison, path: Path) -> None:
    """Three panels: p95 over task-hours, tasks over time, waiting messages over time."""
    from matplotlib.figure import Figure

    request = comparison.request
    figure = Figure(figsize=(11, 9), layout="constrained")
    scatter, tasks, waiting = figure.subplots(3, 1)
    figure.suptitle(
        f"{request.trace.name}: {request.trace.messages:,} messages, acceptable latency "
        f"{request.acceptable_latency_seconds:g} s, processing {request.processing_seconds:g} s"
    )
    shown = [comparison.optimum, comparison.recommended, *comparison.others]
    scatter.scatter(
        [row.task_hours for row in comparison.own],
        [row.p95_seconds or 0 for row in comparison.own],
        s=12,
        color="0.6",
        label="our candidates",
    )
    for row in shown:
        scatter.scatter([row.task_hours], [row.p95_seconds or 0], s=45, label=_label(comparison, row))
    scatter.axhline(request.acceptable_latency_seconds, color="black", linewidth=1, linestyle=":")
    scatter.set_xscale("log")
    scatter.set(xlabel="task-hours", ylabel="p95 of the queue delay, s")
    scatter.legend(fontsize="small")
    hours = [minute / 60 for minute in range(request.trace.minutes)]
    for row in shown:
        tasks.step(hours, row.outcome.tasks_per_minute, where="post", linewidth=1, label=_label(comparison, row))
        waiting.plot(hours, row.outcome.waiting_per_minute, linewidth=1)
    tasks.set(xlabel="hours", ylabel="running tasks")
    tasks.legend(fontsize="small")
    waiting.set(xlabel="hours", ylabel="waiting messages")
    try:
        # Without a date, so that the same plan gives the same file.
        figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise OpsError(f"--plot {path} cannot be written: {error.strerror}") from error


def _label(comparison: Comparison, row: Row) -> str:
    return f"recommended: {row.policy}" if row is comparison.recommended else row.policy
