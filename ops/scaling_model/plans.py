"""Sets of scaling policies: ours, as the program deploys them, and those of others.

Ours follow `components/compute/scaling.py`; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.scaling import ScalingPolicy, backlog_per_task_target
from ops.scaling_model.decisions import AdjustmentType, Bounds, Cooldown

__all__ = [
    "OWN_STEPS",
    "Metric",
    "OwnSettings",
    "Plan",
    "Sample",
    "StepPolicy",
    "TrackingPolicy",
    "cdk_plan",
    "copilot_plan",
    "own_plan",
    "talk_plan",
]

OWN_STEPS = ((1, 1), (100, 5), (1_000, 20))
"""Our queue-depth steps: from so many visible messages on, add so many tasks."""

_ABOVE, _BELOW = "GreaterThanOrEqualToThreshold", "LessThanOrEqualToThreshold"


class Metric(StrEnum):
    """What a policy looks at, once a minute."""

    VISIBLE = "visible messages"
    BACKLOG = "messages visible or in flight"
    BACKLOG_PER_TASK = "messages visible or in flight per running task"
    VISIBLE_PER_TASK = "visible messages per running task, rounded up, at least one task"
    UNATTENDED = "messages wait and no task runs"


@dataclass(frozen=True)
class Sample:
    """What CloudWatch has for a minute; `reported` is false while SQS does not report a sleeping queue."""

    visible: int
    in_flight: int
    running: int
    reported: bool = True

    def value(self, metric: Metric) -> float | None:
        """The metric, or None where it has no value."""
        if not self.reported:
            return None
        backlog = self.visible + self.in_flight
        match metric:
            case Metric.VISIBLE:
                return float(self.visible)
            case Metric.BACKLOG:
                return float(backlog)
            case Metric.BACKLOG_PER_TASK:
                return backlog / self.running if self.running else None
            case Metric.VISIBLE_PER_TASK:
                return float(math.ceil(self.visible / max(self.running, 1)))
            case Metric.UNATTENDED:
                return float(self.visible > 0 and self.running == 0)


@dataclass(frozen=True)
class TrackingPolicy:
    """Target tracking."""

    metric: Metric
    target: float
    cooldown: Cooldown


@dataclass(frozen=True, kw_only=True)
class StepPolicy:
    """Step scaling with its alarm, which never acts on missing data.

    Attributes:
        steps: as Application Auto Scaling takes them (bounds relative to the threshold).
        period_minutes: of the alarm; the statistic is the maximum.
    """

    metric: Metric
    comparison: str
    threshold: float
    steps: Sequence[Mapping[str, int]]
    adjustment_type: AdjustmentType = AdjustmentType.CHANGE
    evaluation_periods: int = 1
    period_minutes: int = 1
    cooldown_seconds: int = 300


@dataclass(frozen=True)
class OwnSettings:
    """The `scaling:` block of a pattern in ``Pulumi.<stack>.yaml``; what the policy does not use is None."""

    policy: ScalingPolicy
    min: int
    max: int
    acceptable_latency_seconds: float | None = None
    processing_seconds: float | None = None
    headroom: float | None = None


@dataclass(frozen=True)
class Plan:
    """Policies of one service.

    Attributes:
        settings: how to get them from the program; None for those of others.
    """

    name: str
    bounds: Bounds
    tracking: tuple[TrackingPolicy, ...] = ()
    stepping: tuple[StepPolicy, ...] = ()
    settings: OwnSettings | None = None


def own_plan(settings: OwnSettings, name: str = "") -> Plan:
    """What `pulumi up` makes of these settings.

    Raises:
        ScalingError: backlog-per-task without a possible target.
    """
    bounds = Bounds(settings.min, settings.max)
    if settings.min >= settings.max:
        return Plan(name or f"fixed at {settings.max}", bounds, settings=settings)
    idle = StepPolicy(
        metric=Metric.BACKLOG,
        comparison=_BELOW,
        threshold=0,
        steps=[{"MetricIntervalUpperBound": 0, "ScalingAdjustment": settings.min}],
        adjustment_type=AdjustmentType.EXACT,
        evaluation_periods=5,
        cooldown_seconds=300,
    )
    if settings.policy is ScalingPolicy.QUEUE_DEPTH:
        depth = StepPolicy(metric=Metric.VISIBLE, comparison=_ABOVE, threshold=OWN_STEPS[0][0], steps=_own_steps())
        return Plan(name or f"queue-depth, min {settings.min}", bounds, (), (depth, idle), settings)
    target = backlog_per_task_target(
        settings.acceptable_latency_seconds or 0, settings.processing_seconds or 0, settings.headroom or 0
    )
    tracking = TrackingPolicy(Metric.BACKLOG_PER_TASK, target, Cooldown(120, 300))
    wake = StepPolicy(
        metric=Metric.UNATTENDED,
        comparison=_ABOVE,
        threshold=1,
        steps=[{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        evaluation_periods=2,
        cooldown_seconds=180,
    )
    stepping = (wake, idle) if settings.min == 0 else (idle,)
    return Plan(name or f"backlog-per-task {target}, min {settings.min}", bounds, (tracking,), stepping, settings)


def _own_steps() -> list[dict[str, int]]:
    first = OWN_STEPS[0][0]
    steps: list[dict[str, int]] = []
    for index, (messages, tasks) in enumerate(OWN_STEPS):
        step = {"MetricIntervalLowerBound": messages - first, "ScalingAdjustment": tasks}
        if index + 1 < len(OWN_STEPS):
            step["MetricIntervalUpperBound"] = OWN_STEPS[index + 1][0] - first
        steps.append(step)
    return steps


def talk_plan(bounds: Bounds) -> Plan:
    """The step policy of the AWS talk: one more at 1 visible message, one less at 0, cooldown 300 s, by CDK.

    CDK's metric of a queue has a period of five minutes unless told otherwise.
    """
    return Plan("the talk's steps", bounds, stepping=_cdk_steps([(1, 1)]))


def cdk_plan(bounds: Bounds) -> Plan:
    """CDK QueueProcessingFargateService's default steps: -1 at 0, +1 from 100, +5 from 500; never below one task.

    Its CPU policy is left out: it depends on the handler, and one that waits for others never reaches 50 %.
    """
    least = max(1, bounds.minimum)
    return Plan(
        "CDK's default steps", Bounds(least, max(least, bounds.maximum)), stepping=_cdk_steps([(100, 1), (500, 5)])
    )


def _cdk_steps(upper: Sequence[tuple[int, int]]) -> tuple[StepPolicy, StepPolicy]:
    """CDK makes an alarm above and one below, each of one period of five minutes, with the maximum."""
    threshold = upper[0][0]
    above: list[dict[str, int]] = []
    for index, (messages, tasks) in enumerate(upper):
        step = {"MetricIntervalLowerBound": messages - threshold, "ScalingAdjustment": tasks}
        if index + 1 < len(upper):
            step["MetricIntervalUpperBound"] = upper[index + 1][0] - threshold
        above.append(step)
    below = [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}]
    return (
        StepPolicy(metric=Metric.VISIBLE, comparison=_ABOVE, threshold=threshold, steps=above, period_minutes=5),
        StepPolicy(metric=Metric.VISIBLE, comparison=_BELOW, threshold=0, steps=below, period_minutes=5),
    )


def copilot_plan(acceptable_latency_seconds: float, processing_seconds: float, bounds: Bounds) -> Plan:
    """AWS Copilot's worker service: ceil(latency / processing) visible messages per task; never below one task."""
    least = max(1, bounds.minimum)
    target = math.ceil(acceptable_latency_seconds / processing_seconds)
    tracking = TrackingPolicy(Metric.VISIBLE_PER_TASK, target, Cooldown(60, 120))
    return Plan(f"Copilot's formula, {target}", Bounds(least, max(least, bounds.maximum)), (tracking,))
