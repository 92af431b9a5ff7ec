"""Events that several workers, or one worker in order, must handle: sent once, handled exactly once by each."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.events import Event
from contracts.manifest import PatternManifest
from ops.actions.send import send_events
from ops.local.demo.effects import completed_keys, outcomes
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["await_consumers", "make_events", "rule_pattern", "show_consumers"]

_SECONDS = 60.0
_CITIES = ("Melbourne", "Auckland", "Perth", "Wellington")


def rule_pattern(stage: Stage, manifest: PatternManifest) -> Mapping[str, Any]:
    """The event pattern of the manifest's first rule, as EventBridge has it."""
    rule = manifest.rules[0]
    found = stage.aws.events().describe_rule(Name=rule.name, EventBusName=rule.bus)
    pattern: Mapping[str, Any] = json.loads(found["EventPattern"])
    return pattern


def make_events(pattern: Mapping[str, Any], count: int) -> list[Event]:
    """Pizza orders with the source and the type that the pattern asks for, over four channels and cities."""
    run = secrets.token_hex(3)
    return [
        Event(
            source=pattern["source"][0],
            detail_type=pattern["detail-type"][0],
            idempotency_key=f"demo-{run}-{number}",
            data={
                "channel-id": f"channel-{number % len(_CITIES)}",
                "created-at": "2021-11-26T16:05:09-04:00",
                "name": "margherita",
                "OrderType": ["Pickup"],
                "city": _CITIES[number % len(_CITIES)],
                "region": "AU",
            },
        )
        for number in range(count)
    ]


def show_consumers(
    stage: Stage,
    manifest: PatternManifest,
    events: Sequence[Event],
    expected: Mapping[str, tuple[PatternManifest, set[str]]],
    *,
    path: str,
) -> Row:
    """Send the events and wait until each consumer has handled its own, exactly once.

    Args:
        manifest: of the pattern; its bus takes the events.
        expected: consumer's name → its manifest and the idempotency keys that it should handle.
        path: the stations, for the row.
    """
    assert manifest.bus
    begun = time.monotonic()
    stage.show(f"sending {len(events)} events to the bus")
    report = send_events(stage.aws.events(), manifest.bus.name, events)
    return await_consumers(stage, manifest, events, expected, path=path, begun=begun, sent=len(report.sent))


def await_consumers(
    stage: Stage,
    manifest: PatternManifest,
    events: Sequence[Event],
    expected: Mapping[str, tuple[PatternManifest, set[str]]],
    *,
    path: str,
    begun: float,
    sent: int,
) -> Row:
    """What `show_consumers` does once the events are on their way.

    Args:
        begun: the ``time.monotonic`` before the first one was sent.
        sent: how many of `events` were accepted.
    """
    lost = len(events) - sent
    problems = [f"{lost} events were not accepted"] if lost else []
    wanted = sum(len(keys) for _, keys in expected.values())

    def done() -> bool:
        handled = sum(
            len(completed_keys(stage.aws, consumer.idempotency_table or "", consumer.name, keys))
            for consumer, keys in expected.values()
        )
        stage.show(f"{handled}/{wanted} effects")
        return handled == wanted and logged()

    def logged() -> bool:
        """A worker's line about an event comes after its record in the table."""
        return all(
            outcome["handled"]
            for consumer, keys in expected.values()
            for outcome in outcomes(stage.home, consumer.name, keys).values()
        )

    if not stage.wait(done, _SECONDS):
        problems.append(f"not all events were handled within {_SECONDS:g} s")
    everything = {event.idempotency_key for event in events}
    effects = 0
    for name, (consumer, keys) in expected.items():
        counted = outcomes(stage.home, consumer.name, everything)
        effects += sum(outcome["handled"] for outcome in counted.values())
        if twice := [key for key, outcome in counted.items() if outcome["handled"] > 1]:
            problems.append(f"{name}: {len(twice)} events were handled more than once, e.g. {twice[0]}")
        if strangers := [key for key in everything - keys if counted[key].total()]:
            problems.append(f"{name}: {len(strangers)} events got past its filter, e.g. {strangers[0]}")
    shares = ", ".join(f"{name} {len(keys)}" for name, (_, keys) in expected.items())
    return Row(
        name=manifest.name,
        pattern=manifest.pattern,
        path=path,
        sent=sent,
        processed=effects,
        dead_lettered=0,
        replayed=0,
        seconds=round(time.monotonic() - begun, 1),
        ok=not problems,
        note="; ".join(problems) or f"each exactly once: {shares}",
    )
