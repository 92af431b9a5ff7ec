"""The emulated minute: metrics are published, then alarms are evaluated, then policies act, in this order."""

from __future__ import annotations

from collections.abc import Callable

from ops.local.server.background import log_once, repeat
from ops.local.server.settings import ServerSettings

__all__ = ["MINUTE_SECONDS", "each_minute", "start"]

MINUTE_SECONDS = 60.0
"""Emulated seconds."""

_steps: list[tuple[str, Callable[[float], None]]] = []


def each_minute(name: str, step: Callable[[float], None]) -> None:
    """Call ``step(boundary)`` at the end of each emulated minute, after the steps that were added before."""
    _steps.append((name, step))


def start(settings: ServerSettings) -> None:
    """Start the clock, after all steps have been added."""

    def tick(boundary: float) -> None:
        for name, step in _steps:
            with log_once(name):
                step(boundary)

    repeat(tick, every_seconds=settings.real_seconds(MINUTE_SECONDS), name="emulated-minute")
