"""QueueScaling: the number of a service's tasks follows its queue, to zero and back.

=================  =====================================  ======================================================
policy             scale-out                              scale-in
=================  =====================================  ======================================================
backlog-per-task   target tracking; from zero: one task   target tracking; and to the minimum when nothing waits
                   when messages wait and none runs       or is in flight for `idle_periods`
queue-depth        steps on the visible messages          to the minimum, likewise
=================  =====================================  ======================================================

A busy task protects itself (`Cluster.protect_tasks`), so a scale-in stops idle ones first and waits for the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.compute import scaling_metrics as metrics
from components.compute.scaling_args import DEFAULT_STEPS, SCALING_RULES, QueueScalingArgs, ScalingStep
from components.core.base import Component
from components.core.validation import check
from contracts.scaling import ScalingPolicy, backlog_per_task_target

__all__ = ["DEFAULT_STEPS", "QueueScaling", "QueueScalingArgs", "ScalingStep"]

_WAKE_COOLDOWN_SECONDS = 180
"""Until the woken task counts as running: it starts (up to a minute) and its first samples arrive (up to two)."""


class QueueScaling(Component):
    """The scalable target of a service with its policies and the alarms that drive them.

    Attributes:
        backlog_per_task: messages per running task that are aimed at; None with queue-depth.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: QueueScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"QueueScaling {name!r}", args, SCALING_RULES)
        self.backlog_per_task: int | None = None
        self.target = aws.appautoscaling.Target(
            f"{name}-target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=args.service.resource_id,
            min_capacity=args.min_tasks,
            max_capacity=args.max_tasks,
            opts=self.child(),
        )
        if args.policy == ScalingPolicy.BACKLOG_PER_TASK:
            self.backlog_per_task = backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
        if args.min_tasks < args.max_tasks:
            if self.backlog_per_task is None:
                self._follow_depth(args)
            else:
                self._track_backlog(args, self.backlog_per_task)
                if args.min_tasks == 0:
                    self._wake(args)
            self._rest_when_idle(args)
        self.publish({"resource_id": args.service.resource_id, "backlog_per_task": self.backlog_per_task})

    def _track_backlog(self, args: QueueScalingArgs, backlog_per_task: int) -> None:
        cooldown = args.scale_out_cooldown_seconds
        specification = (
            aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationArgs(
                metrics=metrics.tracking_metrics(
                    metrics.BACKLOG_PER_TASK,
                    "Messages per running task",
                    [metrics.visible(args.queue), metrics.in_flight(args.queue), metrics.running(args.service)],
                )
            )
        )
        aws.appautoscaling.Policy(
            f"{self.name}-backlog",
            policy_type="TargetTrackingScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            target_tracking_scaling_policy_configuration=(
                aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                    target_value=backlog_per_task,
                    customized_metric_specification=specification,
                    scale_out_cooldown=120 if cooldown is None else cooldown,
                    scale_in_cooldown=args.scale_in_cooldown_seconds,
                )
            ),
            opts=self.child(),
        )

    def _wake(self, args: QueueScalingArgs) -> None:
        # +1, never "exactly 1": that would shrink a service that target tracking has just scaled while its tasks start.
        # The price: a service whose tasks cannot start grows by one in each cooldown, up to its maximum.
        policy = self._step_policy(
            "wake", "ChangeInCapacity", [_step(1, lower=0)], cooldown_seconds=_WAKE_COOLDOWN_SECONDS
        )
        aws.cloudwatch.MetricAlarm(
            f"{self.name}-wake-alarm",
            alarm_description=(
                f"Not a fault: starts a task of {self.name} when messages wait and none runs. Target tracking cannot: "
                "it multiplies the tasks that run."
            ),
            metric_queries=metrics.alarm_queries(
                metrics.UNATTENDED,
                "Messages wait and no task runs",
                [metrics.visible(args.queue), metrics.running(args.service)],
            ),
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=args.wake_periods,
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self.child(),
        )

    def _follow_depth(self, args: QueueScalingArgs) -> None:
        first = args.steps[0].visible_messages
        bounds = [step.visible_messages - first for step in args.steps]
        adjustments = [
            _step(step.add_tasks, lower=lower, upper=upper)
            for step, lower, upper in zip(args.steps, bounds, [*bounds[1:], None], strict=True)
        ]
        cooldown = args.scale_out_cooldown_seconds
        policy = self._step_policy(
            "depth", "ChangeInCapacity", adjustments, cooldown_seconds=300 if cooldown is None else cooldown
        )
        metric = metrics.visible(args.queue)
        steps = ", ".join(f"+{step.add_tasks} from {step.visible_messages:,}" for step in args.steps)
        aws.cloudwatch.MetricAlarm(
            f"{self.name}-depth-alarm",
            alarm_description=f"Not a fault: adds tasks of {self.name} to the visible messages of its queue: {steps}.",
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=metric.dimensions,
            statistic=metric.stat,
            period=metrics.PERIOD_SECONDS,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=first,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self.child(),
        )

    def _rest_when_idle(self, args: QueueScalingArgs) -> None:
        policy = self._step_policy(
            "idle",
            "ExactCapacity",
            [_step(args.min_tasks, upper=0)],
            cooldown_seconds=args.scale_in_cooldown_seconds,
        )
        aws.cloudwatch.MetricAlarm(
            f"{self.name}-idle-alarm",
            alarm_description=(
                f"Not a fault: takes {self.name} to its minimum of {args.min_tasks} when no message has been waiting "
                f"or in flight for {args.idle_periods} minutes. In ALARM whenever the queue is idle."
            ),
            metric_queries=metrics.alarm_queries(
                metrics.BACKLOG,
                "Messages waiting or in flight",
                [metrics.visible(args.queue), metrics.in_flight(args.queue)],
            ),
            comparison_operator="LessThanOrEqualToThreshold",
            threshold=0,
            evaluation_periods=args.idle_periods,
            # Without data nobody knows that the queue is empty, and a task may be busy.
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self.child(),
        )

    def _step_policy(
        self,
        purpose: str,
        adjustment_type: str,
        adjustments: Sequence[aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs],
        *,
        cooldown_seconds: int,
    ) -> aws.appautoscaling.Policy:
        return aws.appautoscaling.Policy(
            f"{self.name}-{purpose}",
            policy_type="StepScaling",
            service_namespace=self.target.service_namespace,
            scalable_dimension=self.target.scalable_dimension,
            resource_id=self.target.resource_id,
            step_scaling_policy_configuration=aws.appautoscaling.PolicyStepScalingPolicyConfigurationArgs(
                adjustment_type=adjustment_type,
                metric_aggregation_type="Maximum",
                cooldown=cooldown_seconds,
                step_adjustments=list(adjustments),
            ),
            opts=self.child(),
        )


def _step(
    adjustment: int, *, lower: int | None = None, upper: int | None = None
) -> aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs:
    """One step; its bounds are relative to the alarm's threshold, None is open."""
    return aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs(
        scaling_adjustment=adjustment,
        metric_interval_lower_bound=None if lower is None else str(lower),
        metric_interval_upper_bound=None if upper is None else str(upper),
    )
