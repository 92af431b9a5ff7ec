"""Where events come from: one module or package per source, registered in one table."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final

from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.settings import Settings
from worker.stopping import Stop

__all__ = ["SOURCES", "Run", "find"]

Run = Callable[[Settings, Handler, Stop], ExitCode]
"""Consume until the stop is requested; raises SettingsError before it has begun."""

SOURCES: Final = {
    "activity": "worker.sources.activity",
    "api": "worker.sources.api",
    "broker": "worker.sources.broker",
    "callback": "worker.sources.callback",
    "kafka": "worker.sources.kafka",
    "queue": "worker.sources.queue",
    "stream": "worker.sources.stream",
    "task": "worker.sources.task",
}
"""Source → the module whose ``run`` consumes it; imported on use, since each source has its own client library."""


def find(source: str) -> Run:
    """The ``run`` of a registered source."""
    run: Run = importlib.import_module(SOURCES[source]).run
    return run
