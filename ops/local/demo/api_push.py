"""The demo of the pattern `api-push`: events that an API destination posts to an API of its own."""

from __future__ import annotations

from contracts.manifest import PatternManifest
from ops.local.demo.consumers import make_events, rule_pattern, show_consumers
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "api-push"
_EVENTS = 20


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this push has no demo; None when it has one."""
    if manifest.service is None or manifest.idempotency_table is None:
        return "its API is not of this stack, or has no idempotency table"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Every event is pushed, and handled once by the tasks behind the API."""
    events = make_events(rule_pattern(stage, manifest), _EVENTS)
    keys = {event.idempotency_key for event in events}
    path = "bus → rule → API destination → HTTP API → tasks"
    return show_consumers(stage, manifest, events, {manifest.name: (manifest, keys)}, path=path)
