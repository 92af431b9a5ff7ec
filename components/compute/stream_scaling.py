"""StreamScaling: the number of a service's tasks follows how far they are behind the stream.

Lag is not a backlog that is divided among tasks, so target tracking does not fit: it would order ten times the tasks
for ten times the lag, although twice as many catch up. Steps do: half as many again when behind, twice as many when far
behind, one less after a quarter of an hour without lag. A shard has one worker at a time, so more tasks than shards are
of no use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Check, Range, check
from contracts import metrics

__all__ = ["StreamScaling", "StreamScalingArgs", "lag_dimensions"]

_PERIOD_SECONDS = 60
_FAR_BEHIND = 3
"""Times the acceptable latency."""
_CAUGHT_UP_PERIODS = 15
_MAX_TASKS = 5_000
"""Amazon ECS quotas: "Tasks per service"."""


def lag_dimensions(pattern: str) -> Mapping[str, str]:
    """Of the metrics that the worker of this pattern publishes."""
    return {metrics.STACK: pulumi.get_stack(), metrics.PATTERN: pattern}


@dataclass(frozen=True, kw_only=True)
class StreamScalingArgs:
    """Arguments of `StreamScaling`.

    Attributes:
        service: which is scaled.
        pattern: whose worker publishes the lag.
        min_tasks: 1 to 5,000, not above `max_tasks`; default 1: a stream whose readers sleep tells nobody that records
            wait.
        max_tasks: 1 to 5,000, not above `shard_count`; default 4, the shards of a new on-demand stream. Equal to
            `min_tasks` it fixes the number, and there are no policies.
        shard_count: of the stream; default None: not known, because the stream counts its shards itself.
        acceptable_latency_seconds: how far behind the tasks may be, 1 to 86,400; default 60.
        scale_out_cooldown_seconds: 0 to 3,600; default 180: a task's start, its leases and its first sample.
        scale_in_cooldown_seconds: 0 to 3,600; default 300.
    """

    service: Service
    pattern: str
    min_tasks: int = 1
    max_tasks: int = 4
    shard_count: int | None = None
    acceptable_latency_seconds: float = 60
    scale_out_cooldown_seconds: int = 180
    scale_in_cooldown_seconds: int = 300


_RULES = (
    Range("min_tasks", 1, _MAX_TASKS, "tasks"),
    Range("max_tasks", 1, _MAX_TASKS, "tasks"),
    Range("acceptable_latency_seconds", 1, 86_400, "seconds", whole=False),
    Range("scale_out_cooldown_seconds", 0, 3_600, "seconds"),
    Range("scale_in_cooldown_seconds", 0, 3_600, "seconds"),
    Check(
        ("min_tasks", "max_tasks"),
        lambda args: args.min_tasks > args.max_tasks,
        lambda args: (
            f"min_tasks is {args.min_tasks}, more than max_tasks ({args.max_tasks}); lower min_tasks or raise max_tasks"
        ),
    ),
    Check(
        ("max_tasks", "shard_count"),
        lambda args: args.shard_count is not None and args.max_tasks > args.shard_count,
        lambda args: (
            f"max_tasks is {args.max_tasks}, more than the {args.shard_count} shards: a shard has one worker at a "
            "time, and the others would idle; lower max_tasks or raise the shards"
        ),
    ),
)


class StreamScaling(Component):
    """The scalable target of a service with its two step policies and the alarms that drive them.

    Attributes:
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: StreamScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"StreamScaling {name!r}", args, _RULES)
        self.target = aws.appautoscaling.Target(
            f"{name}-target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=args.service.resource_id,
            min_capacity=args.min_tasks,
            max_capacity=args.max_tasks,
            opts=self.child(),
        )
        if args.min_tasks < args.max_tasks:
            self._scale_out_when_behind(args)
            self._scale_in_when_caught_up(args)
        self.publish({"resource_id": args.service.resource_id})

    def _scale_out_when_behind(self, args: StreamScalingArgs) -> None:
        threshold = args.acceptable_latency_seconds * 1000
        far = (_FAR_BEHIND - 1) * threshold  # steps are relative to the threshold
        step = aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs
        policy = self._policy(
            "behind",
            aws.appautoscaling.PolicyStepScalingPolicyConfigurationArgs(
                adjustment_type="PercentChangeInCapacity",
                min_adjustment_magnitude=1,
                metric_aggregation_type="Maximum",
                cooldown=args.scale_out_cooldown_seconds,
                step_adjustments=[
                    step(
                        scaling_adjustment=50, metric_interval_lower_bound="0", metric_interval_upper_bound=f"{far:g}"
                    ),
                    step(scaling_adjustment=100, metric_interval_lower_bound=f"{far:g}"),
                ],
            ),
        )
        self._alarm(
            "behind",
            args,
            f"Not a fault: adds tasks of {args.pattern} when they are {args.acceptable_latency_seconds:g} seconds "
            "behind the stream.",
            policy,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            evaluation_periods=2,
        )

    def _scale_in_when_caught_up(self, args: StreamScalingArgs) -> None:
        policy = self._policy(
            "caught-up",
            aws.appautoscaling.PolicyStepScalingPolicyConfigurationArgs(
                adjustment_type="ChangeInCapacity",
                metric_aggregation_type="Maximum",
                cooldown=args.scale_in_cooldown_seconds,
                step_adjustments=[
                    aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs(
                        scaling_adjustment=-1, metric_interval_upper_bound="0"
                    )
                ],
            ),
        )
        self._alarm(
            "caught-up",
            args,
            f"Not a fault: takes one task of {args.pattern} away when none was behind for {_CAUGHT_UP_PERIODS} "
            "minutes. In ALARM whenever the stream is quiet.",
            policy,
            comparison_operator="LessThanOrEqualToThreshold",
            threshold=args.acceptable_latency_seconds * 1000 / 10,
            evaluation_periods=_CAUGHT_UP_PERIODS,
        )

    def _policy(
        self, purpose: str, configuration: aws.appautoscaling.PolicyStepScalingPolicyConfigurationArgs
    ) -> aws.appautoscaling.Policy:
        return aws.appautoscaling.Policy(
            f"{self.name}-{purpose}",
            policy_type="StepScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            step_scaling_policy_configuration=configuration,
            opts=self.child(),
        )

    def _alarm(
        self,
        purpose: str,
        args: StreamScalingArgs,
        description: str,
        policy: aws.appautoscaling.Policy,
        *,
        comparison_operator: str,
        threshold: float,
        evaluation_periods: int,
    ) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{self.name}-{purpose}-alarm",
            alarm_description=description,
            namespace=metrics.NAMESPACE,
            metric_name=metrics.LAG_MILLISECONDS,
            dimensions=lag_dimensions(args.pattern),
            statistic="Maximum",
            period=_PERIOD_SECONDS,
            comparison_operator=comparison_operator,
            threshold=threshold,
            evaluation_periods=evaluation_periods,
            # Without data nobody knows the lag: neither more tasks nor fewer.
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self.child(),
        )
