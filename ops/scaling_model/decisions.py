"""What Application Auto Scaling decides, as functions of numbers: for the local layer and for the simulation.

Sources: Application Auto Scaling user guide, "Target tracking scaling policies" and "Step scaling policies".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "DEFAULT_COOLDOWN_SECONDS",
    "SCALE_IN_DATAPOINTS",
    "SCALE_OUT_DATAPOINTS",
    "AdjustmentType",
    "Bounds",
    "Cooldown",
    "LastActivity",
    "adjusted_capacity",
    "allowed_capacity",
    "base_capacity",
    "clamp",
    "combine",
    "in_cooldown",
    "next_activity",
    "step_for",
    "tracked_capacity",
    "tracking_breach",
]

SCALE_OUT_DATAPOINTS = 3
SCALE_IN_DATAPOINTS = 15
"""The alarms of a target tracking policy: 3 minutes above the target, 15 minutes below 90 % of it."""
SCALE_IN_SHARE = 0.9
DEFAULT_COOLDOWN_SECONDS = 300.0
"""ECS services: 5 minutes for both directions, and for step scaling."""


class AdjustmentType(StrEnum):
    """How a step's ScalingAdjustment is meant."""

    CHANGE = "ChangeInCapacity"
    EXACT = "ExactCapacity"
    PERCENT = "PercentChangeInCapacity"


@dataclass(frozen=True)
class Bounds:
    """MinCapacity and MaxCapacity, in tasks."""

    minimum: int
    maximum: int


@dataclass(frozen=True)
class Cooldown:
    """Emulated seconds after a scale-out, and after a scale-in, of one policy."""

    out_seconds: float = DEFAULT_COOLDOWN_SECONDS
    in_seconds: float = DEFAULT_COOLDOWN_SECONDS


@dataclass(frozen=True)
class LastActivity:
    """A policy's last scaling activity: the capacity before and after, and when (emulated seconds)."""

    before: int
    after: int
    at: float

    @property
    def was_out(self) -> bool:
        """Whether it added capacity."""
        return self.after > self.before


def clamp(capacity: int, bounds: Bounds) -> int:
    """`capacity` within the bounds."""
    return max(bounds.minimum, min(bounds.maximum, capacity))


def tracking_breach(points: Sequence[float | None], target: float) -> int:
    """+1 to scale out, -1 to scale in, 0 to stay.

    Parameters
    ----------
    points:
        The metric per emulated minute, oldest first; None where it has no data. Missing data decides nothing.
    target:
        TargetValue.
    """
    latest = points[-SCALE_OUT_DATAPOINTS:]
    if len(latest) == SCALE_OUT_DATAPOINTS and all(point is not None and point > target for point in latest):
        return 1
    longest = points[-SCALE_IN_DATAPOINTS:]
    low = target * SCALE_IN_SHARE
    if len(longest) == SCALE_IN_DATAPOINTS and all(point is not None and point < low for point in longest):
        return -1
    return 0


def tracked_capacity(current: int, metric: float, target: float) -> int:
    """The capacity at which the metric would meet its target: ``ceil(current × metric / target)``.

    A service at zero counts as one: its metric is what one task would have to bear.
    """
    return max(0, math.ceil(round(max(current, 1) * metric / target, 9)))


def step_for(steps: Sequence[Mapping[str, Any]], breach: float) -> int | None:
    """The ScalingAdjustment of the step that holds `breach` (metric minus threshold); None when none does.

    A missing lower bound is minus infinity, a missing upper bound infinity. Above the threshold the lower bound
    belongs to the interval and the upper does not; below it, the other way round.
    """
    for step in steps:
        lower = float(step.get("MetricIntervalLowerBound", -math.inf))
        upper = float(step.get("MetricIntervalUpperBound", math.inf))
        above = lower >= 0 or (math.isinf(lower) and upper > 0)
        if lower <= breach < upper if above else lower < breach <= upper:
            return int(step["ScalingAdjustment"])
    return None


def adjusted_capacity(
    current: int, adjustment: int, adjustment_type: AdjustmentType, minimum_magnitude: int | None = None
) -> int:
    """The capacity that a step asks for, before bounds; never below 0.

    A percentage is rounded away from zero between -1 and 1 and towards zero beyond, and is at least
    `minimum_magnitude` tasks.
    """
    if adjustment_type is AdjustmentType.EXACT:
        return max(0, adjustment)
    if adjustment_type is AdjustmentType.CHANGE:
        return max(0, current + adjustment)
    exact = current * adjustment / 100
    change = math.copysign(1, exact) if 0 < abs(exact) < 1 else math.trunc(exact)
    if minimum_magnitude and adjustment and abs(change) < minimum_magnitude:
        change = math.copysign(minimum_magnitude, adjustment)
    return max(0, current + int(change))


def in_cooldown(last: LastActivity | None, wanted: int, current: int, cooldown: Cooldown, now: float) -> bool:
    """Whether the policy's cooldown forbids to go from `current` to `wanted` at `now` (emulated seconds).

    During the cooldown of a scale-out nothing is removed, and only a larger scale-out adds more (the caller computes
    `wanted` from the capacity before that activity). A scale-in's cooldown forbids further scale-in only.
    """
    if last is None:
        return False
    elapsed = now - last.at
    if last.was_out:
        return elapsed < cooldown.out_seconds and wanted <= last.after
    return elapsed < cooldown.in_seconds and wanted < current


def base_capacity(current: int, last: LastActivity | None, cooldown: Cooldown, now: float) -> int:
    """The capacity that a scale-out is computed from: during the cooldown of a scale-out, the one before it.

    So the capacity that was just added counts as part of the next scale-out (API reference,
    StepScalingPolicyConfiguration, Cooldown: 2 added, then a step of 3: 1 more).
    """
    if last and last.was_out and last.after == current and now - last.at < cooldown.out_seconds:
        return last.before
    return current


def allowed_capacity(
    wanted: int | None, current: int, bounds: Bounds, last: LastActivity | None, cooldown: Cooldown, now: float
) -> int | None:
    """The capacity, within the bounds, that a policy may ask for now; None when it wants to stay or must wait."""
    if wanted is None:
        return None
    within = clamp(wanted, bounds)
    return None if in_cooldown(last, within, current, cooldown, now) else within


def next_activity(last: LastActivity | None, before: int, after: int, cooldown: Cooldown, now: float) -> LastActivity:
    """What a policy remembers of the activity from `before` to `after`.

    A scale-out that tops up another one in its cooldown keeps the capacity from before the first: else the same step,
    called again a minute later, would count from the middle and add again.
    """
    first = base_capacity(before, last, cooldown, now) if after > before else before
    return LastActivity(first, after, now)


def combine(current: int, wanted: Sequence[int | None], bounds: Bounds) -> int:
    """What several policies make of it: the largest of them; fewer tasks only when all of them agree.

    Parameters
    ----------
    wanted:
        One capacity per policy; None for one that wants to stay.
    """
    asked = [current if capacity is None else capacity for capacity in wanted]
    return clamp(max(asked), bounds) if asked else current
