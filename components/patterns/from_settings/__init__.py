"""Settings → pattern: the only place where the two vocabularies meet, one module for each pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pulumi

from components.config.base import PatternSettings
from components.config.queue_worker import QueueWorkerSettings
from components.patterns.from_settings.queue_worker import build_queue_worker
from components.shared import Shared

__all__ = ["Pattern", "build"]


class Pattern(Protocol):
    """What every pattern can do."""

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know about it, as JSON text."""
        ...


_BUILDERS: Mapping[type[PatternSettings], Callable[[str, Any, Shared], Pattern]] = {
    QueueWorkerSettings: build_queue_worker,
}


def build(name: str, settings: PatternSettings, shared: Shared) -> Pattern:
    """Create the pattern that the settings describe."""
    return _BUILDERS[type(settings)](name, settings, shared)
