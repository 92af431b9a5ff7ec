"""What a benchmark measured: raw numbers, medians, and the ratio to a peer."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Direction", "Measured", "Row", "Skipped", "compare", "spread_of"]


class Direction(StrEnum):
    """Which of two numbers is the better one."""

    MORE_IS_BETTER = "more"
    LESS_IS_BETTER = "less"


@dataclass(frozen=True)
class Measured:
    """The same thing measured several times.

    Attributes:
        name: who did it, e.g. ``lumigo-cli``.
        version: with the name, as in the report, e.g. ``lumigo-cli 0.48.4``.
        values: one per run, in `unit`; at least one.
        unit: e.g. ``messages/s``.
        note: what the reader must know to compare, or empty.
    """

    name: str
    version: str
    values: tuple[float, ...]
    unit: str
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Skipped:
    """A peer that could not run here, and why."""

    work: str
    name: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One line of report.json: ours against one peer, both medians, in the same unit.

    Attributes:
        work: what was done, with its circumstances.
        size: how much of it, with the unit.
        ours, peer: medians.
        peer_version: the peer's name and version.
        ratio: over 1 is better for us, whichever direction is better.
        runs: how many of ours and of the peer, the smaller number.
        spread: of each, (largest - smallest) / median.
        unit: of `ours` and `peer`.
        raw: every value measured, in the order of the runs.
        note: what the reader must know to compare.
    """

    work: str
    size: str
    ours: float
    peer: float
    peer_version: str
    ratio: float
    runs: int
    spread: dict[str, float]
    unit: str
    raw: dict[str, list[float]]
    note: str = ""


def spread_of(values: Sequence[float]) -> float:
    """(Largest - smallest) / median; 0 for a single value."""
    return (max(values) - min(values)) / statistics.median(values)


def compare(work: str, size: str, ours: Measured, peer: Measured, direction: Direction) -> Row:
    """The row of two measurements.

    Raises:
        ValueError: they are in different units.
    """
    if ours.unit != peer.unit:
        raise ValueError(f"{work}: {ours.name} is in {ours.unit}, {peer.name} in {peer.unit}; measure both alike")
    better, worse = ours.median, peer.median
    if direction is Direction.LESS_IS_BETTER:
        better, worse = worse, better
    return Row(
        work=work,
        size=size,
        ours=round(ours.median, 3),
        peer=round(peer.median, 3),
        peer_version=peer.version,
        ratio=round(better / worse, 3),
        runs=min(len(ours.values), len(peer.values)),
        spread={"ours": round(spread_of(ours.values), 3), "peer": round(spread_of(peer.values), 3)},
        unit=ours.unit,
        raw={
            "ours": [round(value, 3) for value in ours.values],
            "peer": [round(value, 3) for value in peer.values],
        },
        note=peer.note,
    )
