"""Simulate candidate settings and the policies of others on a trace; recommend the cheapest that keeps the promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from contracts.scaling import DEFAULT_HEADROOM, RECOMMENDED_HEADROOM, ScalingPolicy, backlog_per_task_target
from ops.scaling_model.cost import TaskPrice
from ops.scaling_model.decisions import Bounds
from ops.scaling_model.optimum import clairvoyant
from ops.scaling_model.plans import OwnSettings, Plan, cdk_plan, copilot_plan, own_plan, talk_plan
from ops.scaling_model.simulation import Outcome, Timing, simulate
from ops.scaling_model.traffic import MINUTE_SECONDS, Trace

__all__ = ["PROMISED_SHARE", "Comparison", "Request", "Row", "compare", "row_of"]

PROMISED_SHARE = 0.95
"""So many messages must not wait longer than is acceptable."""
_HEADROOMS = (DEFAULT_HEADROOM, 0.1, RECOMMENDED_HEADROOM, 0.33, 0.5, 0.67, 0.75)
"""Aiming lower than what is acceptable buys the time in which Application Auto Scaling notices and Fargate starts."""
_MOST_TASKS = 5_000
"""Amazon ECS quotas: "Tasks per service"."""
_DEFAULT_MAX = 10
_HEADROOM = 2.0
"""The default maximum, over the clairvoyant peak: a policy that reacts late must catch up."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to plan for.

    Attributes:
        acceptable_latency_seconds: how long a message may wait; at least `processing_seconds`, which is over 0.
        minimum: tasks; None tries 0, 1 and what the traffic needs half and nearly all of the time.
        maximum: tasks; None takes twice what a clairvoyant would need at most, and at least 10.
    """

    trace: Trace
    acceptable_latency_seconds: float
    processing_seconds: float
    minimum: int | None = None
    maximum: int | None = None
    timing: Timing = field(default_factory=Timing)
    price: TaskPrice = field(default_factory=TaskPrice)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One policy on the trace.

    Attributes:
        p50_seconds, p95_seconds, p99_seconds: queue delays; None when so many messages were never taken.
        attainment: share of the messages that did not wait longer than is acceptable, 0 to 1.
        ratio: task-hours over the clairvoyant's.
        settings: how to get it from the program; None for those of others.
    """

    policy: str
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    attainment: float
    task_hours: float
    ratio: float
    cost_usd: float
    peak_tasks: int
    keeps_promise: bool
    settings: OwnSettings | None
    outcome: Outcome = field(repr=False)


@dataclass(frozen=True)
class Comparison:
    """All rows.

    Attributes:
        own: our candidates, the cheapest first.
        others: the baselines.
        recommended: one of `own`: the cheapest that keeps the promise, else the fastest.
    """

    request: Request
    bounds: Bounds
    optimum: Row
    own: tuple[Row, ...]
    others: tuple[Row, ...]
    recommended: Row

    @property
    def frontier(self) -> tuple[Row, ...]:
        """Our candidates that no other one beats in both task-hours and p95."""
        kept: list[Row] = []
        for row in self.own:
            if not kept or _p95(row) < _p95(kept[-1]):
                kept.append(row)
        return tuple(kept)


def compare(request: Request, progress: Callable[[int, int], None] = lambda done, of: None) -> Comparison:
    """Simulate everything; `progress` is called with the number of plans done and to do."""
    trace, processing = request.trace, request.processing_seconds
    bounds = _bounds(request)
    # A minimum is a policy's means, and no concern of who knows the future.
    free = Bounds(0, bounds.maximum)
    optimum = clairvoyant(trace, request.acceptable_latency_seconds, processing, free, request.timing)
    own = _candidates(request, bounds)
    others = [
        talk_plan(bounds),
        cdk_plan(bounds),
        copilot_plan(request.acceptable_latency_seconds, processing, bounds),
    ]
    rows: list[Row] = []
    for plan in (*own, *others):
        outcome = simulate(trace, plan, processing, request.timing)
        rows.append(row_of(request, outcome, optimum, plan.settings))
        progress(len(rows), len(own) + len(others))
    ours = sorted(rows[: len(own)], key=lambda row: (row.task_hours, _p95(row)))
    return Comparison(
        request,
        bounds,
        row_of(request, optimum, optimum, None),
        tuple(ours),
        tuple(rows[len(own) :]),
        _recommend(ours),
    )


def _recommend(rows: Sequence[Row]) -> Row:
    keeping = [row for row in rows if row.keeps_promise]
    return keeping[0] if keeping else min(rows, key=lambda row: (_p95(row), row.task_hours))


def _bounds(request: Request) -> Bounds:
    minimum = request.minimum or 0
    if request.maximum is not None:
        return Bounds(minimum, request.maximum)
    free = clairvoyant(
        request.trace,
        request.acceptable_latency_seconds,
        request.processing_seconds,
        Bounds(0, _MOST_TASKS),
        request.timing,
    )
    peak = math.ceil(_HEADROOM * max(free.tasks_per_minute))
    return Bounds(minimum, min(_MOST_TASKS, max(_DEFAULT_MAX, minimum, peak)))


def _candidates(request: Request, bounds: Bounds) -> list[Plan]:
    minimums = [request.minimum] if request.minimum is not None else _minimums(request, bounds.maximum)
    latency, processing = request.acceptable_latency_seconds, request.processing_seconds
    # With few messages to a task several headrooms come to the same target: the least of them says it.
    headrooms = {
        backlog_per_task_target(latency, processing, share): share for share in sorted(_HEADROOMS, reverse=True)
    }
    settings: list[OwnSettings] = []
    for minimum in minimums:
        if minimum == bounds.maximum:
            settings.append(
                OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, minimum, minimum, latency, processing, DEFAULT_HEADROOM)
            )
            continue
        settings += [
            OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, minimum, bounds.maximum, latency, processing, headroom)
            for headroom in sorted(headrooms.values())
        ]
        settings.append(OwnSettings(ScalingPolicy.QUEUE_DEPTH, minimum, bounds.maximum))
    return [own_plan(one) for one in settings]


def _minimums(request: Request, maximum: int) -> list[int]:
    """0, 1, and the tasks that the traffic needs half, and 95 %, of the time."""
    needed = sorted(count * request.processing_seconds / MINUTE_SECONDS for count in request.trace.messages_per_minute)
    half, nearly_all = (needed[int(share * (len(needed) - 1))] for share in (0.5, PROMISED_SHARE))
    return sorted({minimum for minimum in (0, 1, math.floor(half), math.ceil(nearly_all)) if minimum <= maximum})


def _p95(row: Row) -> float:
    return math.inf if row.p95_seconds is None else row.p95_seconds


def row_of(request: Request, outcome: Outcome, optimum: Outcome, settings: OwnSettings | None) -> Row:
    """What came out of a simulation, measured by the optimum of the same trace."""
    p50, p95, p99 = (outcome.delay_seconds(share) for share in (0.5, PROMISED_SHARE, 0.99))
    return Row(
        policy=outcome.name,
        p50_seconds=_finite(p50),
        p95_seconds=_finite(p95),
        p99_seconds=_finite(p99),
        attainment=outcome.attainment(request.acceptable_latency_seconds),
        task_hours=outcome.task_hours,
        ratio=outcome.task_hours / optimum.task_hours,
        cost_usd=outcome.task_hours * request.price.usd_per_task_hour,
        peak_tasks=max(outcome.tasks_per_minute),
        keeps_promise=p95 <= request.acceptable_latency_seconds,
        settings=settings,
        outcome=outcome,
    )


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
