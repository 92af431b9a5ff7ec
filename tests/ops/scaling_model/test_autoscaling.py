"""What Application Auto Scaling is documented to do, case by case.

AAS: Application Auto Scaling user guide and API reference. ECS: Amazon ECS developer guide. CW: CloudWatch user guide.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.scaling import ScalingPolicy
from ops.scaling_model.autoscaling import Autoscaling
from ops.scaling_model.decisions import Bounds, Cooldown
from ops.scaling_model.plans import Metric, OwnSettings, Plan, Sample, StepPolicy, TrackingPolicy, own_plan

WIDE = Bounds(0, 1000)
TRACKING = TrackingPolicy(Metric.BACKLOG_PER_TASK, 10, Cooldown(120, 300))
STEPS = StepPolicy(
    metric=Metric.VISIBLE,
    comparison="GreaterThanOrEqualToThreshold",
    threshold=1,
    steps=[
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 99, "ScalingAdjustment": 2},
        {"MetricIntervalLowerBound": 99, "ScalingAdjustment": 3},
    ],
    cooldown_seconds=300,
)
FEWER = replace(
    STEPS,
    comparison="LessThanOrEqualToThreshold",
    threshold=0,
    steps=[{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}],
)


def _counts(plan: Plan, samples: list[Sample], desired: int) -> list[int]:
    """The desired count after each minute, when a sample arrives every minute."""
    autoscaling = Autoscaling(plan)
    counts = []
    for minute in range(1, len(samples) + 1):
        desired = autoscaling.decide(samples[:minute], desired, minute * 60)
        counts.append(desired)
    return counts


def test_in_a_cooldown_only_the_difference_to_a_larger_step_is_added() -> None:
    # AAS API, StepScalingPolicyConfiguration, Cooldown: 2 tasks were added; a step of 3 during the cooldown adds 1 more.
    samples = [Sample(50, 0, 4), Sample(50, 0, 4), Sample(200, 0, 6), Sample(200, 0, 7)]
    assert _counts(Plan("", WIDE, stepping=(STEPS,)), samples, 4) == [6, 6, 7, 7]
    # The larger step called again does not add again.
    assert _counts(Plan("", WIDE, stepping=(STEPS,)), [*samples, *[Sample(200, 0, 7)] * 2], 4)[-1] == 7


def test_an_alarm_calls_its_policy_every_minute_so_that_it_acts_again_after_the_cooldown() -> None:
    # CW, "Using Amazon CloudWatch alarms": an Auto Scaling action is invoked each period while the alarm lasts.
    counts = _counts(Plan("", WIDE, stepping=(STEPS,)), [Sample(50, 0, 4)] * 12, 4)
    assert counts == [6] * 5 + [8] * 5 + [10] * 2


def test_a_scale_in_blocks_further_scale_in_but_never_a_scale_out() -> None:
    # AAS API, likewise: scale-in is blocked until the cooldown has expired; a scale-out happens immediately.
    samples = [Sample(0, 0, 5)] * 3 + [Sample(50, 0, 4)]
    assert _counts(Plan("", WIDE, stepping=(STEPS, FEWER)), samples, 5) == [4, 4, 4, 6]


def test_tracking_scales_out_in_proportion_after_three_minutes_above_the_target() -> None:
    # AAS, "How target tracking works": proportional. Its alarm has 3 data points of a minute.
    counts = _counts(Plan("", WIDE, tracking=(TRACKING,)), [Sample(80, 0, 4)] * 3, 4)
    assert counts == [4, 4, 8]


def test_what_starts_is_not_ordered_twice_in_the_cooldown() -> None:
    # AAS API, TargetTrackingScalingPolicyConfiguration, ScaleOutCooldown. Nothing has started yet: still 4 tasks run.
    counts = _counts(Plan("", WIDE, tracking=(TRACKING,)), [Sample(80, 0, 4)] * 4, 4)
    assert counts == [4, 4, 8, 8]


def test_tracking_scales_in_after_fifteen_minutes_below_nine_tenths() -> None:
    # AAS: scale-in is more gradual. Its alarm has 15 data points of a minute, at 90 % of the target.
    assert _counts(Plan("", WIDE, tracking=(TRACKING,)), [Sample(20, 0, 4)] * 15, 4) == [4] * 14 + [2]
    assert _counts(Plan("", WIDE, tracking=(TRACKING,)), [Sample(37, 0, 4)] * 30, 4) == [4] * 30


def test_without_data_tracking_does_nothing() -> None:
    # ECS, "Use a target metric": insufficient data is not interpreted as low utilization, and does not scale out.
    unreported = [Sample(500, 0, 4, reported=False)] * 20
    assert _counts(Plan("", WIDE, tracking=(TRACKING,)), unreported, 4) == [4] * 20
    assert _counts(Plan("", WIDE, tracking=(TRACKING,)), [Sample(500, 0, 0)] * 20, 0) == [0] * 20


def test_of_two_policies_the_larger_wins_and_both_must_agree_to_scale_in() -> None:
    # AAS, "Multiple scaling policies".
    lower = replace(TRACKING, target=20)
    calm = replace(TRACKING, metric=Metric.VISIBLE, target=4)  # 4 visible: neither high nor below 90 %
    assert _counts(Plan("", WIDE, tracking=(lower, TRACKING)), [Sample(100, 0, 4)] * 3, 4)[-1] == 10
    assert _counts(Plan("", WIDE, tracking=(TRACKING, calm)), [Sample(4, 0, 4)] * 15, 4)[-1] == 4
    assert _counts(Plan("", WIDE, tracking=(TRACKING,)), [Sample(4, 0, 4)] * 15, 4)[-1] == 1


def test_bounds_hold() -> None:
    counts = _counts(Plan("", Bounds(2, 6), tracking=(TRACKING,)), [Sample(900, 0, 4)] * 3, 4)
    assert counts[-1] == 6
    assert _counts(Plan("", Bounds(2, 6), stepping=(FEWER,)), [Sample(0, 0, 3)] * 12, 3)[-1] == 2


@pytest.mark.parametrize(("minutes", "first"), [(1, 3), (5, 7)])
def test_periods_of_several_minutes_slide_by_a_minute(minutes: int, first: int) -> None:
    # CW, "Evaluating an alarm": every minute, for 5-minute periods over minutes 1 to 5, then 2 to 6.
    policy = replace(FEWER, period_minutes=minutes)
    samples = [Sample(9, 0, 3), Sample(9, 0, 3), *[Sample(0, 0, 3)] * 8]
    counts = _counts(Plan("", WIDE, stepping=(policy,)), samples, 3)
    assert counts.index(2) + 1 == first


OWN = own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 0, 10, 60, 2))


def test_ours_wakes_after_two_minutes_in_which_messages_wait_and_no_task_runs() -> None:
    assert _counts(OWN, [Sample(1, 0, 0)] * 3, 0) == [0, 1, 1]
    late_sample = [Sample(5, 0, 1), Sample(5, 0, 0), Sample(5, 0, 1)]
    assert _counts(OWN, late_sample, 1) == [1, 1, 1]


def test_ours_rests_after_five_idle_minutes_but_not_while_a_message_is_in_flight_or_nothing_is_known() -> None:
    assert _counts(OWN, [Sample(0, 0, 3)] * 5, 3) == [3, 3, 3, 3, 0]
    assert _counts(OWN, [Sample(0, 1, 3)] * 9, 3) == [3] * 9
    assert _counts(OWN, [Sample(0, 0, 3, reported=False)] * 9, 3) == [3] * 9
