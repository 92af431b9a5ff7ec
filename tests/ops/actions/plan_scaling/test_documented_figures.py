"""The tables of docs/scaling.md are what the command computes on the committed traces."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from components.config.queue_worker import ScalingSettings
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, ScalingPolicy
from ops.__main__ import main
from ops.actions.plan_scaling.planning import Comparison, Request, Row, compare, row_of
from ops.actions.plan_scaling.sources import trace_of_file
from ops.scaling_model.decisions import Bounds
from ops.scaling_model.optimum import clairvoyant
from ops.scaling_model.plans import OwnSettings, cdk_plan, own_plan
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
GOAL_SHAPES = (Shape.STEADY, Shape.UNPREDICTABLE, Shape.BURST)
MOST = 1.25
"""Task-hours, over those of who knows the future."""


DEFAULTS = ScalingSettings()
"""What a stack gets that says nothing about scaling."""


@cache
def _comparison(shape: Shape, latency: int, minimum: int) -> Comparison:
    trace = trace_of_file(ROOT / "bench" / "traces" / f"{shape}.csv")
    return compare(
        Request(trace=trace, acceptable_latency_seconds=latency, processing_seconds=2, minimum=minimum, maximum=60)
    )


@cache
def _by_default(shape: Shape, latency: float) -> Row:
    """The default policy with this latency, everything else by default."""
    processing = DEFAULTS.processing_seconds
    trace = trace_of_file(ROOT / "bench" / "traces" / f"{shape}.csv")
    request = Request(trace=trace, acceptable_latency_seconds=latency, processing_seconds=processing)
    settings = OwnSettings(DEFAULTS.policy, DEFAULTS.min, DEFAULTS.max, latency, processing)
    optimum = clairvoyant(trace, latency, processing, Bounds(0, DEFAULTS.max))
    return row_of(request, simulate(trace, own_plan(settings), processing), optimum, settings)


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


@pytest.mark.parametrize("shape", GOAL_SHAPES)
def test_the_defaults_keep_what_they_promise_for_what_is_allowed(shape: Shape) -> None:
    assert DEFAULTS.policy is ScalingPolicy.BACKLOG_PER_TASK
    assert (DEFAULTS.min, DEFAULTS.acceptable_latency_seconds) == (0, DEFAULT_ACCEPTABLE_LATENCY_SECONDS)
    row = _by_default(shape, DEFAULTS.acceptable_latency_seconds)
    assert row.keeps_promise
    assert row.ratio <= MOST
    assert f"\n| {shape} {_line(row)[_line(row).index('|', 1) :]}\n" in DOCUMENT


@pytest.mark.parametrize("latency", [300, 600])
def test_less_than_the_default_is_not_kept_on_all_three(latency: int) -> None:
    rows = {shape: _by_default(shape, latency) for shape in GOAL_SHAPES}
    missed = [shape for shape, row in rows.items() if not row.keeps_promise or row.ratio > MOST]
    assert Shape.BURST in missed
    figures = ", ".join(f"{shape} {row.p95_seconds:.0f} s for {row.ratio:.2f} ×" for shape, row in rows.items())
    assert f"{latency} s: {figures}" in DOCUMENT


def test_the_command_shows_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = re.findall(r"^    ops (plan-scaling --trace bench/traces/burst\.csv .*)$", DOCUMENT, re.MULTILINE)
    words = command.replace("bench/", f"{ROOT}/bench/").split()
    assert main([*words]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    row = _by_default(Shape.BURST, DEFAULT_ACCEPTABLE_LATENCY_SECONDS)
    assert [one["p95_seconds"] for one in shown["rows"] if one["policy"] == row.policy] == [row.p95_seconds]


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
