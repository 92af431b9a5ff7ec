"""The demo of the pattern `scheduled-task`: its next runs are brought forward, and the schedule put back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.manifest import PatternManifest, ScheduleRef
from ops.local.demo.effects import completed_keys, logged_outcomes
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "scheduled-task"
_RUNS = 2
_AHEAD = timedelta(seconds=2)
_SECONDS = 45.0
_KEPT = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
)
"""Of GetSchedule, what UpdateSchedule takes; it forgets what it is not given."""


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why this schedule has no demo; None when it has one."""
    if manifest.schedule is None or manifest.task is None or manifest.idempotency_table is None:
        return "it lacks a schedule, a task or an idempotency table"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Each run takes place at its time, and once."""
    assert manifest.schedule
    assert manifest.idempotency_table
    begun = time.monotonic()
    before = set(_runs(stage, manifest))
    problems: list[str] = []
    with _schedule(stage, manifest.schedule) as schedule:
        for number in range(1, _RUNS + 1):
            _bring_forward(stage, schedule)
            stage.show(f"waiting for run {number} of {_RUNS}")
            if not _ended(stage, manifest, before, number):
                problems.append(f"run {number} did not end within {_SECONDS:g} s")
                break
    counted = {key: outcome for key, outcome in _runs(stage, manifest).items() if key not in before}
    if len(counted) > _RUNS or any(outcome.total() != 1 for outcome in counted.values()):
        problems.append(f"not each run was handled once: {[dict(outcome) for outcome in counted.values()]}")
    if completed_keys(stage.aws, manifest.idempotency_table, manifest.name, set(counted)) != set(counted):
        problems.append("the idempotency table does not have every run")
    return Row(
        name=manifest.name,
        pattern=PATTERN,
        path="schedule → task",
        sent=_RUNS,
        processed=sum(outcome["handled"] for outcome in counted.values()),
        dead_lettered=0,
        replayed=0,
        seconds=round(time.monotonic() - begun, 1),
        ok=not problems,
        note="; ".join(problems)
        or f"{_RUNS} runs of {manifest.schedule.expression} brought forward, each exactly once",
    )


def _ended(stage: Stage, manifest: PatternManifest, before: set[str], number: int) -> bool:
    """Whether so many new runs end in time."""
    return stage.wait(lambda: len(_runs(stage, manifest).keys() - before) >= number, _SECONDS, every=0.3)


@contextmanager
def _schedule(stage: Stage, reference: ScheduleRef) -> Iterator[dict[str, Any]]:
    """What UpdateSchedule takes; afterwards the schedule is again as it was."""
    scheduler = stage.aws.client("scheduler")
    found: Mapping[str, Any] = scheduler.get_schedule(Name=reference.name)
    kept = {name: found[name] for name in _KEPT if name in found}
    try:
        yield dict(kept)
    finally:
        scheduler.update_schedule(**kept)


def _bring_forward(stage: Stage, schedule: Mapping[str, Any]) -> None:
    at = datetime.now(UTC) + _AHEAD
    soon = {"ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})", "ScheduleExpressionTimezone": "UTC"}
    stage.aws.client("scheduler").update_schedule(**{**schedule, **soon, "ActionAfterCompletion": "NONE"})


def _runs(stage: Stage, manifest: PatternManifest) -> dict[str, Counter[str]]:
    """Idempotency key of each run that has ended → its outcomes."""
    assert manifest.task
    return logged_outcomes(stage.home, manifest.name, f"{manifest.task.family}-")
