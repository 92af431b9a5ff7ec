"""The demo of the pattern `stream-worker`: events through a Kinesis stream, in order for each partition key."""

from __future__ import annotations

from contracts.manifest import PatternManifest
from ops.local.demo.consumers import make_events, rule_pattern, show_consumers
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "stream-worker"
_EVENTS = 40


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this stream worker has no demo; None when it has one."""
    if manifest.stream is None or manifest.bus is None or not manifest.rules or manifest.idempotency_table is None:
        return "it lacks a stream that a rule feeds, or an idempotency table"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Every record is handled once by the workers that share the shards."""
    events = make_events(rule_pattern(stage, manifest), _EVENTS)
    keys = {event.idempotency_key for event in events}
    return show_consumers(
        stage, manifest, events, {manifest.name: (manifest, keys)}, path="bus → rule → stream → tasks"
    )
