"""The tables of docs/scaling.md are what the command computes on the committed traces."""

from __future__ import annotations

from functools import cache

import pytest

from ops.actions.plan_scaling.planning import Comparison, Request, Row, compare
from ops.actions.plan_scaling.sources import trace_of_file
from ops.scaling_model.decisions import Bounds
from ops.scaling_model.plans import cdk_plan
from ops.scaling_model.simulation import simulate
from ops.scaling_model.traffic import Shape, Trace
from tests.emulator import ROOT

DOCUMENT = (ROOT / "docs" / "scaling.md").read_text()
SHOWN = ("150,", "112,", "100,", "75,", "queue-depth")
GOALS = [
    *((shape, latency, 0) for shape in (Shape.STEADY, Shape.UNPREDICTABLE, Shape.BURST) for latency in (60, 300, 600)),
    (Shape.DAILY, 300, 0),
    (Shape.STEADY, 60, 8),
    (Shape.UNPREDICTABLE, 300, 4),
    (Shape.BURST, 900, 0),
]
"""Trace, acceptable latency, and min."""


@cache
def _comparison(shape: Shape, latency: int, minimum: int) -> Comparison:
    trace = trace_of_file(ROOT / "bench" / "traces" / f"{shape}.csv")
    return compare(
        Request(trace=trace, acceptable_latency_seconds=latency, processing_seconds=2, minimum=minimum, maximum=60)
    )


def _table(shape: Shape) -> str:
    found = _comparison(shape, 300, 0)
    own = sorted(found.own, key=lambda row: row.p95_seconds or 0, reverse=True)
    rows = [found.optimum, *(row for row in own if any(mark in row.policy for mark in SHOWN)), *found.others]
    lines = [
        f"**{shape}**: {found.request.trace.messages:,} messages in {found.request.trace.minutes // 60} hours",
        "",
        "| Policy | p50 | p95 | p99 | in time | task-hours | × optimum | USD |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    bold = "**" if row.keeps_promise else ""
    delays = f"{row.p50_seconds:.0f} s | {bold}{row.p95_seconds:.0f} s{bold} | {row.p99_seconds:.0f} s"
    name = row.policy.removesuffix(", min 0")
    return f"| {name} | {delays} | {row.attainment:.1%} | {row.task_hours:.1f} | {row.ratio:.2f} | {row.cost_usd:.2f} |"


def _goal(shape: Shape, latency: int, minimum: int) -> str:
    best = _comparison(shape, latency, minimum).recommended
    policy = best.policy.rsplit(",", 1)[0]
    met = "yes" if best.keeps_promise and best.ratio <= 1.25 else "no"
    kept = f"{best.p95_seconds:.0f} s" if best.keeps_promise else f"**{best.p95_seconds:.0f} s**"
    return f"| {shape} | {latency} s | {minimum} | {policy} | {kept} | {best.ratio:.2f} | {met} |"


@pytest.mark.parametrize("shape", list(Shape))
def test_the_table_of_a_trace(shape: Shape) -> None:
    assert _table(shape) in DOCUMENT


@pytest.mark.parametrize(("shape", "latency", "minimum"), GOALS)
def test_a_row_of_the_goal(shape: Shape, latency: int, minimum: int) -> None:
    assert f"\n{_goal(shape, latency, minimum)}\n" in DOCUMENT


@pytest.mark.parametrize(("shape", "said"), [(Shape.STEADY, "steady: p95 1,067 s"), (Shape.UNPREDICTABLE, "828 s")])
def test_cdks_steps_with_longer_messages(shape: Shape, said: str) -> None:
    full = trace_of_file(ROOT / "bench" / "traces" / f"{shape}.csv")
    tenth = Trace(full.name, tuple(round(count / 10) for count in full.messages_per_minute))
    p95 = simulate(tenth, cdk_plan(Bounds(0, 60)), 20).delay_seconds(0.95)
    assert said in DOCUMENT
    assert f"{p95:,.0f} s" in said
