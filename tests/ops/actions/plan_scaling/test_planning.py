"""Which settings are recommended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from components.config.queue_worker import ScalingSettings
from contracts.scaling import DEFAULT_HEADROOM, RECOMMENDED_HEADROOM, ScalingPolicy
from ops.actions.plan_scaling.planning import Comparison, Request, compare
from ops.actions.plan_scaling.settings_text import scaling_yaml
from ops.scaling_model.cost import TaskPrice
from ops.scaling_model.plans import OwnSettings
from ops.scaling_model.traffic import Trace

TRAFFIC = Trace("an hour", (*[120] * 30, *[240] * 30, *[60] * 30))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(Request(trace=TRAFFIC, acceptable_latency_seconds=300, processing_seconds=2))


def test_the_cheapest_that_keeps_the_promise_is_recommended(comparison: Comparison) -> None:
    best = comparison.recommended
    keeping = [row for row in comparison.own if row.p95_seconds is not None and row.p95_seconds <= 300]
    assert best.task_hours == min(row.task_hours for row in keeping)
    assert best.keeps_promise
    assert best.attainment >= 0.95
    assert best.ratio == pytest.approx(best.task_hours / comparison.optimum.task_hours)


def test_every_candidate_promises_what_was_asked_for_and_aims_lower_by_its_headroom(comparison: Comparison) -> None:
    tracking = [row.settings for row in comparison.own if row.settings and row.settings.acceptable_latency_seconds]
    assert {one.acceptable_latency_seconds for one in tracking} == {300}
    assert {one.headroom for one in tracking} >= {DEFAULT_HEADROOM, RECOMMENDED_HEADROOM}


def test_candidates_with_the_same_target_are_one(comparison: Comparison) -> None:
    few = compare(replace(comparison.request, acceptable_latency_seconds=3, minimum=0, maximum=12))
    assert [row.policy for row in few.own if "per-task" in row.policy] == ["backlog-per-task 1, min 0"]


def test_where_none_keeps_it_the_fastest_is_recommended(comparison: Comparison) -> None:
    impatient = compare(replace(comparison.request, acceptable_latency_seconds=3, minimum=0, maximum=12))
    assert not any(row.keeps_promise for row in impatient.own)
    assert impatient.recommended.p95_seconds == min(row.p95_seconds or 1e9 for row in impatient.own)


def test_bounds_that_are_given_hold_and_others_are_tried(comparison: Comparison) -> None:
    given = compare(replace(comparison.request, minimum=3, maximum=9))
    assert {(row.settings.min, row.settings.max) for row in given.own if row.settings} == {(3, 9)}
    assert max(row.peak_tasks for row in (*given.own, *given.others)) <= 9
    # 120 messages of 2 s a minute need 4 tasks half of the time, 240 need 8.
    assert {row.settings.min for row in comparison.own if row.settings} == {0, 1, 4, 8}
    fixed = compare(replace(comparison.request, minimum=8, maximum=8))
    assert [row.policy for row in fixed.own] == ["fixed at 8"]


def test_the_frontier_has_no_row_that_another_beats(comparison: Comparison) -> None:
    frontier = comparison.frontier
    assert len(frontier) >= 2
    for row in comparison.own:
        assert any(
            one.task_hours <= row.task_hours and (one.p95_seconds or 0) <= (row.p95_seconds or 0) for one in frontier
        )
    assert [row.p95_seconds for row in frontier] == sorted((row.p95_seconds for row in frontier), reverse=True)  # type: ignore[type-var]  # all are numbers here


def test_cost_is_hours_times_price(comparison: Comparison) -> None:
    # 0.25 vCPU × 0.04048 USD + 0.5 GB × 0.004445 USD an hour.
    assert TaskPrice().usd_per_task_hour == pytest.approx(0.0123425)
    row = comparison.recommended
    assert row.cost_usd == pytest.approx(row.task_hours * 0.0123425)


@pytest.mark.parametrize(
    "settings",
    [
        OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 0, 40, 66.667, 0.05, 0.33),
        OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 3, 3, 300, 2, 0),
        OwnSettings(ScalingPolicy.QUEUE_DEPTH, 1, 5000),
    ],
)
def test_the_text_is_what_the_settings_of_a_stack_take(settings: OwnSettings) -> None:
    read = ScalingSettings.model_validate_json(json.dumps(yaml.safe_load(scaling_yaml(settings))["scaling"]))
    assert (read.policy, read.min, read.max) == (settings.policy, settings.min, settings.max)
    if settings.processing_seconds is not None:
        assert read.acceptable_latency_seconds == settings.acceptable_latency_seconds
        assert read.processing_seconds == settings.processing_seconds
        assert read.headroom == settings.headroom
