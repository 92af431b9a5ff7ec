"""Ours are what the program deploys; those of others are what their sources say."""

from __future__ import annotations

from typing import Any

import pytest

from components.compute import scaling_metrics
from components.compute.scaling import DEFAULT_STEPS
from components.config.queue_worker import ScalingSettings
from contracts.scaling import DEFAULT_HEADROOM, RECOMMENDED_HEADROOM, ScalingPolicy
from ops.scaling_model.decisions import AdjustmentType, Bounds, Cooldown
from ops.scaling_model.plans import (
    OWN_STEPS,
    Metric,
    OwnSettings,
    Sample,
    StepPolicy,
    TrackingPolicy,
    cdk_plan,
    copilot_plan,
    own_plan,
    talk_plan,
)
from tests.components.test_scaling import scaled
from tests.recorder import Recorder

EXPRESSIONS = {
    scaling_metrics.BACKLOG: Metric.BACKLOG,
    scaling_metrics.BACKLOG_PER_TASK: Metric.BACKLOG_PER_TASK,
    scaling_metrics.UNATTENDED: Metric.UNATTENDED,
}


def _deployed(recorder: Recorder) -> tuple[list[TrackingPolicy], list[StepPolicy]]:
    """The recorded policies with their alarms, as the model knows them."""
    tracking, stepping = [], []
    alarms = recorder.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    for policy in recorder.of_type("aws:appautoscaling/policy:Policy"):
        if found := policy.inputs.get("targetTrackingScalingPolicyConfiguration"):
            metrics = found["customizedMetricSpecification"]["metrics"]
            (expression,) = [one["expression"] for one in metrics if one.get("expression")]
            cooldown = Cooldown(found["scaleOutCooldown"], found["scaleInCooldown"])
            tracking.append(TrackingPolicy(EXPRESSIONS[expression], found["targetValue"], cooldown))
        else:
            (alarm,) = [one for one in alarms if one.name == f"{policy.name}-alarm"]
            stepping.append(_step_policy(policy.inputs["stepScalingPolicyConfiguration"], alarm.inputs))
    return tracking, stepping


def _step_policy(configuration: Any, alarm: Any) -> StepPolicy:
    assert alarm["treatMissingData"] == "notBreaching"
    expressions = [one["expression"] for one in alarm.get("metricQueries", []) if one.get("expression")]
    assert expressions or (alarm["metricName"], alarm["statistic"]) == ("ApproximateNumberOfMessagesVisible", "Maximum")
    return StepPolicy(
        metric=EXPRESSIONS[expressions[0]] if expressions else Metric.VISIBLE,
        comparison=alarm["comparisonOperator"],
        threshold=alarm["threshold"],
        steps=[
            {key[0].upper() + key[1:]: int(value) for key, value in step.items() if value is not None}
            for step in configuration["stepAdjustments"]
        ],
        adjustment_type=AdjustmentType(configuration["adjustmentType"]),
        evaluation_periods=alarm["evaluationPeriods"],
        cooldown_seconds=configuration["cooldown"],
    )


def _sorted(policies: Any) -> list[str]:
    def text(policy: Any) -> str:
        if isinstance(policy, StepPolicy):
            steps = [sorted(step.items()) for step in policy.steps]
            numbers = [policy.threshold, policy.evaluation_periods, policy.period_minutes, policy.cooldown_seconds]
            return f"{policy.metric} {policy.comparison} {steps} {policy.adjustment_type} {[*map(float, numbers)]}"
        return f"{policy.metric} {policy.target:g} {policy.cooldown.out_seconds:g} {policy.cooldown.in_seconds:g}"

    return sorted(text(policy) for policy in policies)


@pytest.mark.parametrize("policy", list(ScalingPolicy))
@pytest.mark.parametrize(("minimum", "maximum"), [(0, 10), (2, 10), (4, 4)])
@pytest.mark.parametrize("headroom", [DEFAULT_HEADROOM, RECOMMENDED_HEADROOM])
def test_ours_are_what_the_program_deploys(policy: ScalingPolicy, minimum: int, maximum: int, headroom: float) -> None:
    recorder = scaled(
        policy=policy,
        min_tasks=minimum,
        max_tasks=maximum,
        acceptable_latency_seconds=90,
        processing_seconds=2,
        headroom=headroom,
    )

    tracking, stepping = _deployed(recorder)
    plan = own_plan(OwnSettings(policy, minimum, maximum, 90, 2, headroom))

    assert plan.bounds == Bounds(minimum, maximum)
    assert _sorted(plan.tracking) == _sorted(tracking)
    assert _sorted(plan.stepping) == _sorted(stepping)
    assert bool(tracking or stepping) == (minimum < maximum)


@pytest.mark.parametrize("policy", list(ScalingPolicy))
def test_the_programs_defaults_are_those_of_the_component(policy: ScalingPolicy) -> None:
    settings = ScalingSettings(policy=policy)
    tracking, stepping = _deployed(scaled(policy=policy))
    plan = own_plan(
        OwnSettings(
            policy,
            settings.min,
            settings.max,
            settings.acceptable_latency_seconds,
            settings.processing_seconds,
            settings.headroom,
        )
    )
    assert _sorted(plan.tracking) == _sorted(tracking)
    assert _sorted(plan.stepping) == _sorted(stepping)


def test_our_steps_are_the_default_ones() -> None:
    assert tuple((step.visible_messages, step.add_tasks) for step in DEFAULT_STEPS) == OWN_STEPS


def test_metrics_of_a_minute() -> None:
    some, none = Sample(25, 5, 4), Sample(3, 0, 0)
    assert [some.value(metric) for metric in Metric] == [25, 30, 7.5, 7, 0]
    assert [none.value(metric) for metric in Metric] == [3, 3, None, 3, 1]
    assert [Sample(9, 9, 9, reported=False).value(metric) for metric in Metric] == [None] * 5


def test_the_policies_of_others() -> None:
    # AWS Copilot, worker service: ceil(acceptable latency / processing time); its manual: 10 min / 250 ms is 2400.
    (copilot,) = copilot_plan(600, 0.25, Bounds(0, 10)).tracking
    assert (copilot.target, copilot.cooldown) == (2400, Cooldown(60, 120))
    assert copilot_plan(10, 3, Bounds(0, 10)).tracking[0].target == 4
    assert copilot_plan(600, 0.25, Bounds(0, 10)).bounds == cdk_plan(Bounds(0, 10)).bounds == Bounds(1, 10)
    # aws-cdk, ecs-patterns, QueueProcessingServiceBase: {upper: 0, -1}, {lower: 100, +1}, {lower: 500, +5}.
    up, down = cdk_plan(Bounds(0, 10)).stepping
    assert (up.threshold, [step["ScalingAdjustment"] for step in up.steps]) == (100, [1, 5])
    assert up.steps[1]["MetricIntervalLowerBound"] == 400
    assert (down.threshold, down.steps[0]["ScalingAdjustment"]) == (0, -1)
    # The talk: {upper: 0, -1}, {lower: 1, +1}, cooldown 300 s.
    more, less = talk_plan(Bounds(0, 10)).stepping
    assert (more.threshold, more.steps[0]["ScalingAdjustment"], more.cooldown_seconds) == (1, 1, 300)
    assert (less.threshold, less.steps[0]["ScalingAdjustment"], less.period_minutes) == (0, -1, 5)
