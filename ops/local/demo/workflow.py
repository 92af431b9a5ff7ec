"""The demo of the pattern `workflow`: an execution for each event, through steps of every kind that it has."""

from __future__ import annotations

import json
import time
from typing import Any

from contracts.manifest import PatternManifest, StateMachineRef
from ops.actions.send import send_events
from ops.local.demo.consumers import make_events, rule_pattern
from ops.local.demo.effects import completed_keys, outcomes
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "workflow"
_EVENTS = 3
_SECONDS = 90.0


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this workflow has no demo; None when it has one."""
    if manifest.state_machine is None or manifest.bus is None or not manifest.rules or not manifest.idempotency_table:
        return "it lacks a state machine that a rule starts, or an idempotency table"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Every execution succeeds, and every step of it is done once."""
    assert manifest.state_machine
    assert manifest.bus
    assert manifest.idempotency_table
    machine, table = manifest.state_machine, manifest.idempotency_table
    begun = time.monotonic()
    events = make_events(rule_pattern(stage, manifest), _EVENTS)
    keys = {event.idempotency_key for event in events}
    steps = {f"{key}#{step.name}" for key in keys for step in machine.steps}
    stage.show(f"sending {_EVENTS} events to the bus")
    report = send_events(stage.aws.events(), manifest.bus.name, events)
    problems = []

    def done() -> bool:
        # The steps too: nobody waits for the task of a request-response step.
        ended = sum(status != "RUNNING" for status in _executions(stage, machine, keys).values())
        finished = completed_keys(stage.aws, table, manifest.name, steps)
        stage.show(f"{ended}/{_EVENTS} executions, {len(finished)}/{len(steps)} steps")
        return ended == _EVENTS and finished == steps

    if not stage.wait(done, _SECONDS, every=0.5):
        problems.append(f"not every step was done within {_SECONDS:g} s")
    statuses = _executions(stage, machine, keys)
    succeeded = sum(status == "SUCCEEDED" for status in statuses.values())
    if succeeded != _EVENTS:
        problems.append(f"not every execution succeeded: {statuses}")
    if twice := [key for key, counted in outcomes(stage.home, manifest.name, steps).items() if counted["handled"] > 1]:
        problems.append(f"{len(twice)} steps were done more than once, e.g. {twice[0]}")
    kinds = ", ".join(f"{step.name} ({step.kind})" for step in machine.steps)
    return Row(
        name=manifest.name,
        pattern=PATTERN,
        path="bus → rule → state machine → tasks",
        sent=len(report.sent),
        processed=succeeded,
        dead_lettered=0,
        replayed=0,
        seconds=round(time.monotonic() - begun, 1),
        ok=not problems,
        note="; ".join(problems) or f"each step exactly once: {kinds}",
    )


def _executions(stage: Stage, machine: StateMachineRef, keys: set[str]) -> dict[str, str]:
    """The event's idempotency key → status of its execution."""
    states = stage.aws.stepfunctions()
    found: dict[str, str] = {}
    for item in states.list_executions(stateMachineArn=machine.arn, maxResults=100)["executions"]:
        execution = states.describe_execution(executionArn=item["executionArn"])
        event: dict[str, Any] = json.loads(execution["input"])
        key = event.get("detail", {}).get("metadata", {}).get("idempotency-key")
        if key in keys:
            found[key] = execution["status"]
    return found
