"""What a scaling policy decides."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ops.scaling_model.decisions import (
    SCALE_IN_DATAPOINTS,
    AdjustmentType,
    Bounds,
    Cooldown,
    LastActivity,
    adjusted_capacity,
    clamp,
    combine,
    in_cooldown,
    step_for,
    tracked_capacity,
    tracking_breach,
)

capacities = st.integers(0, 1000)
bounds = st.tuples(capacities, capacities).map(lambda pair: Bounds(min(pair), max(pair)))

STEPS_ABOVE = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 2},
    {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 5},
]
STEPS_BELOW = [
    {"MetricIntervalUpperBound": -10, "ScalingAdjustment": -2},
    {"MetricIntervalLowerBound": -10, "MetricIntervalUpperBound": 0, "ScalingAdjustment": -1},
]


@pytest.mark.parametrize(
    ("steps", "breach", "adjustment"),
    [
        (STEPS_ABOVE, 0, 1),
        (STEPS_ABOVE, 9.9, 1),
        (STEPS_ABOVE, 10, 2),
        (STEPS_ABOVE, 20, 5),
        (STEPS_ABOVE, 1e9, 5),
        (STEPS_ABOVE, -0.1, None),
        (STEPS_BELOW, 0, -1),
        (STEPS_BELOW, -9.9, -1),
        (STEPS_BELOW, -10, -2),
        (STEPS_BELOW, -1e9, -2),
        (STEPS_BELOW, 0.1, None),
        ([{"ScalingAdjustment": 3}], -7, 3),
    ],
)
def test_the_step_of_a_breach(steps: list[dict[str, Any]], breach: float, adjustment: int | None) -> None:
    assert step_for(steps, breach) == adjustment


@given(breach=st.floats(0, 1e6))
def test_every_breach_above_has_exactly_one_step(breach: float) -> None:
    holding = [step for step in STEPS_ABOVE if step_for([step], breach) is not None]
    assert len(holding) == 1


@pytest.mark.parametrize(
    ("current", "adjustment", "kind", "magnitude", "expected"),
    [
        (4, 2, AdjustmentType.CHANGE, None, 6),
        (1, -3, AdjustmentType.CHANGE, None, 0),
        (4, 7, AdjustmentType.EXACT, None, 7),
        (4, 25, AdjustmentType.PERCENT, None, 5),
        (4, 25, AdjustmentType.PERCENT, 2, 6),
        (10, 37, AdjustmentType.PERCENT, None, 13),
        (1, 10, AdjustmentType.PERCENT, None, 2),
        (1, -10, AdjustmentType.PERCENT, None, 0),
        (10, -37, AdjustmentType.PERCENT, None, 7),
        (10, -100, AdjustmentType.PERCENT, None, 0),
        (0, 50, AdjustmentType.PERCENT, 1, 1),
    ],
)
def test_adjustments(current: int, adjustment: int, kind: AdjustmentType, magnitude: int | None, expected: int) -> None:
    assert adjusted_capacity(current, adjustment, kind, magnitude) == expected


@given(current=st.integers(1, 500), metric=st.floats(0.01, 1e5), target=st.floats(0.01, 1e4))
def test_the_tracked_capacity_is_the_least_that_meets_the_target(current: int, metric: float, target: float) -> None:
    wanted = tracked_capacity(current, metric, target)
    load = current * metric
    assume(abs(load / target - round(load / target)) > 1e-6)  # on the edge rounding decides
    assert load / wanted <= target * (1 + 1e-9)
    assert wanted == 1 or load / (wanted - 1) > target * (1 - 1e-9)


def test_a_service_at_zero_wakes_for_the_whole_backlog() -> None:
    assert tracked_capacity(0, 100, 30) == 4
    assert tracked_capacity(0, 0, 30) == 0


def test_out_after_three_minutes_and_in_after_fifteen() -> None:
    calm = [10.0] * SCALE_IN_DATAPOINTS
    assert tracking_breach([*calm, 11.0, 11.0], 10) == 0
    assert tracking_breach([*calm, 11.0, 11.0, 11.0], 10) == 1
    assert tracking_breach([*calm, 11.0, None, 11.0], 10) == 0
    assert tracking_breach([8.9] * SCALE_IN_DATAPOINTS, 10) == -1
    assert tracking_breach([9.1] * SCALE_IN_DATAPOINTS, 10) == 0
    assert tracking_breach([8.9] * (SCALE_IN_DATAPOINTS - 1), 10) == 0
    assert tracking_breach([None, *[8.9] * (SCALE_IN_DATAPOINTS - 1)], 10) == 0
    assert tracking_breach([], 10) == 0


@given(current=capacities, wanted=st.lists(st.none() | capacities, max_size=4), limits=bounds)
def test_the_largest_wins_and_all_must_agree_to_scale_in(
    current: int, wanted: list[int | None], limits: Bounds
) -> None:
    desired = combine(current, wanted, limits)
    if not wanted:
        assert desired == current
        return
    assert limits.minimum <= desired <= limits.maximum
    if desired < clamp(current, limits):
        assert all(capacity is not None and capacity <= desired for capacity in wanted)
    assert all(desired >= clamp(capacity, limits) for capacity in wanted if capacity is not None)


def test_cooldowns() -> None:
    cooldown = Cooldown(out_seconds=60, in_seconds=120)
    out, scale_in = LastActivity(2, 5, at=1000), LastActivity(5, 2, at=1000)
    assert in_cooldown(out, 5, 5, cooldown, 1059)
    assert in_cooldown(out, 1, 5, cooldown, 1059), "nothing is removed while a scale-out cools down"
    assert not in_cooldown(out, 7, 5, cooldown, 1059), "a larger scale-out goes on"
    assert not in_cooldown(out, 1, 5, cooldown, 1060)
    assert in_cooldown(scale_in, 1, 2, cooldown, 1119)
    assert not in_cooldown(scale_in, 3, 2, cooldown, 1001), "a scale-out does not wait for a scale-in"
    assert not in_cooldown(scale_in, 1, 2, cooldown, 1120)
    assert not in_cooldown(None, 0, 9, cooldown, 0)


@given(current=capacities, adjustment=st.integers(-100, 400), magnitude=st.none() | st.integers(1, 5))
def test_a_percentage_moves_the_right_way(current: int, adjustment: int, magnitude: int | None) -> None:
    wanted = adjusted_capacity(current, adjustment, AdjustmentType.PERCENT, magnitude)
    change = wanted - current
    assert wanted >= 0
    assert change * adjustment >= 0
    assert abs(change) <= max(math.ceil(abs(current * adjustment / 100)), magnitude or 0)
