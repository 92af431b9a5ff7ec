"""CloudWatch and Application Auto Scaling, once a minute: data points, alarms, policies, cooldowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ops.scaling_model.alarm_rules import AlarmState, MissingData, evaluation_range, next_state
from ops.scaling_model.decisions import (
    SCALE_IN_DATAPOINTS,
    Cooldown,
    LastActivity,
    adjusted_capacity,
    allowed_capacity,
    base_capacity,
    clamp,
    combine,
    next_activity,
    step_for,
    tracked_capacity,
    tracking_breach,
)
from ops.scaling_model.plans import Metric, Plan, Sample, StepPolicy, TrackingPolicy

__all__ = ["Autoscaling"]


@dataclass
class Autoscaling:
    """The policies of a plan with what they remember.

    The order within a minute is that of the embedded AWS: alarms call their step policies, then target tracking
    decides.
    """

    plan: Plan
    _alarms: dict[int, AlarmState] = field(default_factory=dict)
    _last: dict[int, LastActivity] = field(default_factory=dict)

    def decide(self, samples: Sequence[Sample], desired: int, now: int) -> int:
        """The desired count after the evaluation at `now`.

        Parameters
        ----------
        samples:
            One per minute that CloudWatch has by now, oldest first.
        desired:
            Tasks, before.
        now:
            Seconds.
        """
        for number, policy in enumerate(self.plan.stepping):
            desired = self._step(number, policy, samples, desired, now)
        wanted = [
            self._track(len(self.plan.stepping) + number, policy, samples, desired, now)
            for number, policy in enumerate(self.plan.tracking)
        ]
        if not any(capacity is not None for capacity in wanted):
            return desired
        combined = combine(desired, wanted, self.plan.bounds)
        if combined != desired:
            numbers = [number for number, capacity in enumerate(wanted) if capacity is not None]
            deciding = max(numbers, key=lambda number: wanted[number] or 0)
            cooldown = self.plan.tracking[deciding].cooldown
            number = len(self.plan.stepping) + deciding
            self._last[number] = next_activity(self._last.get(number), desired, combined, cooldown, now)
        return combined

    def _track(
        self, number: int, policy: TrackingPolicy, samples: Sequence[Sample], desired: int, now: int
    ) -> int | None:
        points = [sample.value(policy.metric) for sample in samples[-SCALE_IN_DATAPOINTS:]]
        breach = tracking_breach(points, policy.target)
        if breach == 0 or points[-1] is None:
            return None
        last = self._last.get(number)
        base = base_capacity(desired, last, policy.cooldown, now) if breach > 0 else desired
        wanted = tracked_capacity(base, points[-1], policy.target)
        return allowed_capacity(wanted, desired, self.plan.bounds, last, policy.cooldown, now)

    def _step(self, number: int, policy: StepPolicy, samples: Sequence[Sample], desired: int, now: int) -> int:
        points = _periods(samples, policy.metric, policy.period_minutes, evaluation_range(policy.evaluation_periods))
        state = next_state(
            self._alarms.get(number, AlarmState.OK),
            points,
            threshold=policy.threshold,
            comparison=policy.comparison,
            evaluation_periods=policy.evaluation_periods,
            missing=MissingData.NOT_BREACHING,
        )
        self._alarms[number] = state
        value = next((point for point in reversed(points) if point is not None), None)
        # While an alarm lasts it calls its policy again, every minute.
        if state is not AlarmState.ALARM or value is None:
            return desired
        adjustment = step_for(policy.steps, value - policy.threshold)
        if adjustment is None:
            return desired
        cooldown = Cooldown(policy.cooldown_seconds, policy.cooldown_seconds)
        last = self._last.get(number)
        base = base_capacity(desired, last, cooldown, now)
        wanted = adjusted_capacity(base, adjustment, policy.adjustment_type)
        allowed = allowed_capacity(wanted, desired, self.plan.bounds, last, cooldown, now)
        if allowed is None or allowed == desired:
            return desired
        self._last[number] = next_activity(last, desired, allowed, cooldown, now)
        return clamp(allowed, self.plan.bounds)


def _periods(samples: Sequence[Sample], metric: Metric, minutes: int, count: int) -> list[float | None]:
    """The maximum of each of the last `count` periods, oldest first.

    An alarm is evaluated every minute, over windows that end with the newest one (CloudWatch user guide, "Evaluating
    an alarm": with 5-minute periods, minutes 1 to 5, then 2 to 6).
    """
    known = [sample.value(metric) for sample in samples[-minutes * count :]]
    values: list[float | None] = [*[None] * (minutes * count - len(known)), *known]
    chunks = [values[start : start + minutes] for start in range(0, len(values), minutes)]
    return [max((value for value in chunk if value is not None), default=None) for chunk in chunks]
