"""The trivial handler of our worker: HANDLER=bench.contenders.worker_handler:handle."""

from __future__ import annotations

from bench.contenders.meter import Meter
from worker import Event

__all__ = ["handle"]

_meter = Meter()


def handle(event: Event) -> None:
    """Count it."""
    _meter.handled(dict(event.data))
