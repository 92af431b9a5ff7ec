"""The things that are measured, one module each."""

from __future__ import annotations

from collections.abc import Callable

from bench.results import Row, Skipped
from bench.works.kafka import measure_kafka
from bench.works.program import measure_program
from bench.works.replay import measure_replay
from bench.works.size import Size
from bench.works.stream import measure_stream
from bench.works.worker import measure_worker

__all__ = ["WORKS", "Measure"]

Measure = Callable[[Size, dict[str, str], Callable[[str], None]], tuple[list[Row], list[Skipped]]]
"""How much, which peers are not installed and why, and who hears how far it is → the rows, and who is not in them."""

WORKS: dict[str, Measure] = {
    "replay": measure_replay,
    "worker": measure_worker,
    "stream": measure_stream,
    "kafka": measure_kafka,
    "program": measure_program,
}
