"""What `ops status` prints about streams: cells of the overview, and a table per pattern when one is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ops.actions.status import PatternStatus

__all__ = ["STREAM_COLUMNS", "TableRows", "stream_cells", "stream_notes", "stream_tables"]

STREAM_COLUMNS = ["behind", "held"]
_UNKNOWN = "?"

TableRows: TypeAlias = tuple[Sequence[str], Sequence[Mapping[str, Any]], str]
"""Columns, rows and title of a table."""


def stream_cells(one: PatternStatus) -> dict[str, Any]:
    """How far behind, and how many shards or partitions are held by how many workers; empty for other patterns."""
    if one.stream is not None:
        return {
            "behind": _seconds(one.stream.behind_seconds),
            "held": _held(len([s for s in one.stream.shards if s.held_by]), len(one.stream.shards), one.stream.workers),
        }
    if one.kafka is not None:
        lag = _UNKNOWN if one.kafka.lag is None else f"{one.kafka.lag:,} records"
        time = "" if one.kafka.behind_seconds is None else f", {one.kafka.behind_seconds:.0f} s"
        held = None
        if one.kafka.workers:
            count = len([p for p in one.kafka.partitions if p.held_by])
            held = _held(count, len(one.kafka.partitions), one.kafka.workers)
        return {"behind": lag + time, "held": held}
    return {}


def stream_notes(one: PatternStatus) -> list[str]:
    """Why something is not shown although nothing failed."""
    return [f"{one.name}: {note}" for note in one.kafka.notes] if one.kafka else []


def stream_tables(one: PatternStatus) -> list[TableRows]:
    """Every shard or partition of a pattern, and who holds it."""
    tables: list[TableRows] = []
    if one.stream is not None:
        age = one.stream.iterator_age_seconds
        title = f"stream {one.stream.name}, iterator age {'unknown' if age is None else f'{age:.0f} s'}"
        if one.stream.ended:
            title += f", {one.stream.ended} shards ended"
        columns = ["shard", "state", "held_by", "behind", "checkpoint", "wanted_by", "crashes"]
        shards = [
            {**vars(shard), "behind": _seconds(shard.behind_seconds), "crashes": shard.crashes or None}
            for shard in one.stream.shards
        ]
        tables.append((columns, shards, title))
    if one.kafka is not None and one.kafka.partitions:
        title = f"topic {one.kafka.topic}, group {one.kafka.group}"
        title += f" ({one.kafka.state.lower()})" if one.kafka.state else ""
        columns = ["partition", "held_by", "lag", "committed", "end"]
        tables.append((columns, [vars(partition) for partition in one.kafka.partitions], title))
    return tables


def _held(held: int, all_of_them: int, workers: Mapping[str, int]) -> str:
    return f"{held}/{all_of_them} by {len(workers)}"


def _seconds(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.0f} s"
