"""ScalableService: what every scaling component makes: the scalable target, its policies, the alarms that drive them.

A component says which signal it follows and by which steps; names and the rest of the inputs are the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi_aws as aws

from components.compute import scaling_metrics
from components.compute.scaling_metrics import Metric
from components.compute.service import Service
from components.core.base import Component

__all__ = ["Expression", "Predefined", "ScalableService", "step"]

WAKE_COOLDOWN_SECONDS = 180
"""Until the woken task counts as running: it starts (up to a minute) and its first samples arrive (up to two)."""

Predefined = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs
StepAdjustment = aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Metric math over several metrics."""

    expression: str
    label: str
    metrics: Sequence[Metric]


def step(adjustment: int, *, lower: float | None = None, upper: float | None = None) -> StepAdjustment:
    """One step; its bounds are relative to the alarm's threshold, None is open."""
    return StepAdjustment(
        scaling_adjustment=adjustment,
        metric_interval_lower_bound=_bound(lower),
        metric_interval_upper_bound=_bound(upper),
    )


def _bound(value: float | None) -> str | None:
    # As AWS writes it back: "120000", not "120000.0", which would be a difference on each deploy.
    return None if value is None else str(int(value)) if value == int(value) else str(value)


class ScalableService:
    """The scalable target of a service; not a component itself: everything is a child of `owner`.

    Attributes:
        target: the raw scalable target.
    """

    def __init__(self, owner: Component, service: Service, *, min_tasks: int, max_tasks: int) -> None:
        self._owner = owner
        self._min_tasks = min_tasks
        self.target = aws.appautoscaling.Target(
            f"{owner.name}-target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=service.resource_id,
            min_capacity=min_tasks,
            max_capacity=max_tasks,
            opts=owner.child(),
        )

    def track(
        self,
        purpose: str,
        signal: Expression | Predefined,
        target_value: float,
        *,
        scale_out_cooldown_seconds: int,
        scale_in_cooldown_seconds: int,
    ) -> None:
        """Keep the signal at a value, by the number of tasks."""
        specification = (
            aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationArgs(
                metrics=scaling_metrics.tracking_metrics(signal.expression, signal.label, signal.metrics)
            )
            if isinstance(signal, Expression)
            else None
        )
        aws.appautoscaling.Policy(
            f"{self._owner.name}-{purpose}",
            policy_type="TargetTrackingScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            target_tracking_scaling_policy_configuration=(
                aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                    target_value=target_value,
                    customized_metric_specification=specification,
                    predefined_metric_specification=None if isinstance(signal, Expression) else signal,
                    scale_out_cooldown=scale_out_cooldown_seconds,
                    scale_in_cooldown=scale_in_cooldown_seconds,
                )
            ),
            opts=self._owner.child(),
        )

    def wake(self, things: str, signal: str, metrics: Sequence[Metric], *, periods: int) -> None:
        """Start a task when `things` wait and none runs: the expression `signal` is 1.

        +1, never "exactly 1": that would shrink a service that target tracking has just scaled while its tasks start.
        The price: a service whose tasks cannot start grows by one in each cooldown, up to its maximum.
        """
        self.follow(
            "wake",
            Expression(expression=signal, label=f"{things.capitalize()} wait and no task runs", metrics=metrics),
            f"Not a fault: starts a task of {self._owner.name} when {things} wait and none runs. Target tracking "
            "cannot: it multiplies the tasks that run.",
            "ChangeInCapacity",
            [step(1, lower=0)],
            threshold=1,
            periods=periods,
            cooldown_seconds=WAKE_COOLDOWN_SECONDS,
        )

    def rest(self, signal: Metric | Expression, when: str, *, periods: int, cooldown_seconds: int, idle: str) -> None:
        """Go to the minimum when the signal has been 0.

        Without data nobody knows that nothing waits, and a task may be busy: it then stays as it is.
        """
        self.follow(
            "idle",
            signal,
            f"Not a fault: takes {self._owner.name} to its minimum of {self._min_tasks} when {when} for {periods} "
            f"minutes. In ALARM whenever {idle}.",
            "ExactCapacity",
            [step(self._min_tasks, upper=0)],
            threshold=0,
            periods=periods,
            cooldown_seconds=cooldown_seconds,
            below=True,
        )

    def follow(
        self,
        purpose: str,
        signal: Metric | Expression,
        description: str,
        adjustment_type: str,
        adjustments: Sequence[StepAdjustment],
        *,
        threshold: float,
        periods: int,
        cooldown_seconds: int,
        min_adjustment_magnitude: int | None = None,
        below: bool = False,
    ) -> None:
        """Step scaling, and the alarm that asks for it: the signal at or over the threshold, or at or `below` it."""
        policy = aws.appautoscaling.Policy(
            f"{self._owner.name}-{purpose}",
            policy_type="StepScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            step_scaling_policy_configuration=aws.appautoscaling.PolicyStepScalingPolicyConfigurationArgs(
                adjustment_type=adjustment_type,
                min_adjustment_magnitude=min_adjustment_magnitude,
                metric_aggregation_type="Maximum",
                cooldown=cooldown_seconds,
                step_adjustments=list(adjustments),
            ),
            opts=self._owner.child(),
        )
        single = None if isinstance(signal, Expression) else signal
        aws.cloudwatch.MetricAlarm(
            f"{self._owner.name}-{purpose}-alarm",
            alarm_description=description,
            metric_queries=(
                scaling_metrics.alarm_queries(signal.expression, signal.label, signal.metrics)
                if isinstance(signal, Expression)
                else None
            ),
            namespace=single.namespace if single else None,
            metric_name=single.name if single else None,
            dimensions=single.dimensions if single else None,
            statistic=single.stat if single else None,
            period=scaling_metrics.PERIOD_SECONDS if single else None,
            comparison_operator="LessThanOrEqualToThreshold" if below else "GreaterThanOrEqualToThreshold",
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self._owner.child(),
        )
