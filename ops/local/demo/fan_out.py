"""The demo of the pattern `fan-out`: one event, several workers, each with its own filter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.event_matching import matches
from contracts.manifest import PatternManifest
from ops.local.demo.consumers import make_events, rule_pattern, show_consumers
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage
from ops.manifest import read_patterns

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "fan-out"
_EVENTS = 24


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this fan-out has no demo; None when it has one."""
    if manifest.topic is None or manifest.bus is None or not manifest.rules:
        return "it has no topic that a rule feeds"
    workers = _workers(stage, manifest)
    if not workers or any(worker.queue is None or worker.idempotency_table is None for worker in workers):
        return "it has no workers with a queue and an idempotency table each"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Every worker handles what its filter lets through, and nothing else."""
    events = make_events(rule_pattern(stage, manifest), _EVENTS)
    filters = _filters(stage, manifest)
    expected = {}
    for worker in _workers(stage, manifest):
        assert worker.queue
        wanted = filters.get(worker.queue.arn, {})
        keys = {event.idempotency_key for event in events if matches(wanted, event.to_envelope())}
        expected[worker.name.removeprefix(f"{manifest.name}-")] = (worker, keys)
    return show_consumers(stage, manifest, events, expected, path="bus → rule → topic → queues → tasks")


def _workers(stage: Stage, manifest: PatternManifest) -> list[PatternManifest]:
    patterns = read_patterns(stage.aws.ssm(), manifest.stack)
    return [found for name, found in patterns.items() if name.startswith(f"{manifest.name}-") and not found.rules]


def _filters(stage: Stage, manifest: PatternManifest) -> Mapping[str, Mapping[str, Any]]:
    """ARN of a subscribed queue → its filter policy on the body, as SNS has it; without one, everything passes."""
    assert manifest.topic
    sns = stage.aws.client("sns")
    found: dict[str, Mapping[str, Any]] = {}
    for subscription in sns.list_subscriptions_by_topic(TopicArn=manifest.topic.arn)["Subscriptions"]:
        arn = subscription["SubscriptionArn"]
        attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        found[subscription["Endpoint"]] = json.loads(attributes.get("FilterPolicy") or "{}")
    return found
