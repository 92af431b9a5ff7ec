"""report.json, for programs, and report.md, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path

from bench.machine import Machine
from bench.plots import plot_ratios
from bench.results import Row, Skipped

__all__ = ["Report"]

_INTRODUCTION = """\
Every figure is the median of the runs; *spread* is (largest - smallest) / median. A *ratio* over 1 is better for us.
All contenders of a line ran in turn, on the same machine, against the same embedded AWS, without any network but
loopback. `report.json` has every single value.

*Indexed queues* are those of the embedded AWS without its scans, which make every client wait for the server when a
queue is deep, as SQS does not (`bench/indexed_emulator.py`). *boto3's ceiling* is what loops reach that
keep no attributes, check no answers and survive no fault.
"""

_QUICK = """\
**This is a quick run: small, and measured once. It shows that the benchmarks work; its figures compare nothing.**
"""


@dataclass
class Report:
    """What was measured.

    Attributes:
        machine: where and when.
        quick: it was a quick run.
        rows: in the order measured.
        skipped: who could not take part.
        seconds: how long the measuring took.
    """

    machine: Machine
    quick: bool = False
    rows: list[Row] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0

    def write(self, folder: Path) -> list[Path]:
        """Write ``report.json``, ``report.md`` and, where matplotlib is installed, a plot per work."""
        folder.mkdir(parents=True, exist_ok=True)
        document = folder / "report.json"
        document.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n")
        plots = plot_ratios(self.rows, folder)
        page = folder / "report.md"
        page.write_text(self.markdown([path.name for path in plots]))
        return [document, page, *plots]

    def markdown(self, plots: Sequence[str] = ()) -> str:
        """The page; `plots` are file names beside it."""
        return "\n".join(self._lines(plots)) + "\n"

    def _lines(self, plots: Sequence[str]) -> Iterator[str]:
        machine = self.machine
        yield "# Benchmarks\n"
        yield (
            f"Made by `make bench` on {machine.when}, in {self.seconds / 60:.0f} minutes, on {machine.processors} "
            f"logical processors ({machine.processor}), {machine.memory_gib:g} GiB, {machine.system}. "
            f"Load average before: {machine.load_before:g}. "
            + ", ".join(f"{name} {version}" for name, version in machine.software.items())
            + ".\n"
        )
        yield _QUICK if self.quick else _INTRODUCTION
        for work, group in groupby(self.rows, key=lambda row: row.work):
            rows = list(group)
            yield f"## {work[0].upper()}{work[1:]}\n"
            yield f"| Size | Against | Ours, {rows[0].unit} | Theirs | Ratio | Spread (ours, theirs) | Runs |"
            yield "|---|---|---:|---:|---:|---:|---:|"
            for row in rows:
                against = row.peer_version + (f" ({row.note})" if row.note else "")
                yield (
                    f"| {row.size} | {against} | {_number(row.ours)} | {_number(row.peer)} | **{row.ratio:.2f}** "
                    f"| {row.spread['ours']:.0%}, {row.spread['peer']:.0%} | {row.runs} |"
                )
            yield ""
        for name in plots:
            yield f"![Ratios]({name})\n"
        if self.skipped:
            yield "## Not measured\n"
            for one in self.skipped:
                yield f"- {one.work}: {one.name}: {one.reason}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
