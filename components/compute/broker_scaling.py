"""BrokerScaling: the number of a service's tasks follows its queue on a broker, to zero and back.

Target tracking between one task and the maximum; from zero, one task when messages are there and none runs; to the
minimum when no message is there for some minutes. As `QueueScaling`, with Amazon MQ's metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute import scaling_metrics
from components.compute.broker_metrics import backlog
from components.compute.scaling_metrics import Metric
from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Check, Range, check
from components.stores.broker import Broker
from contracts.errors import ScalingError
from contracts.scaling import backlog_per_task_target

__all__ = ["BrokerScaling", "BrokerScalingArgs"]

_MAX_TASKS = 5_000
"""Amazon ECS quotas: "Tasks per service"."""
_WAKE_COOLDOWN_SECONDS = 180
_WAKE_PERIODS = 2
_IDLE_PERIODS = 5


@dataclass(frozen=True, kw_only=True)
class BrokerScalingArgs:
    """Arguments of `BrokerScaling`.

    Attributes:
        service: which is scaled.
        broker, queue: which queue it works off.
        min_tasks: 0 to 5,000, not above `max_tasks`; default 1.
        max_tasks: 1 to 5,000; default 10. Equal to `min_tasks` it fixes the number, and there are no policies.
        acceptable_latency_seconds: how long a message may wait; default 60.
        processing_seconds: what a task spends on a message; default 1.
        scale_out_cooldown_seconds: 0 to 3,600; default 120: a task's start and its first sample.
        scale_in_cooldown_seconds: 0 to 3,600; default 300.
    """

    service: Service
    broker: Broker
    queue: str
    min_tasks: int = 1
    max_tasks: int = 10
    acceptable_latency_seconds: float = 60
    processing_seconds: float = 1
    scale_out_cooldown_seconds: int = 120
    scale_in_cooldown_seconds: int = 300


def _target_problem(args: BrokerScalingArgs) -> str | None:
    try:
        backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
    except ScalingError as error:
        return str(error)
    return None


_RULES = (
    Range("min_tasks", 0, _MAX_TASKS, "tasks"),
    Range("max_tasks", 1, _MAX_TASKS, "tasks"),
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
        ("acceptable_latency_seconds", "processing_seconds"),
        lambda args: _target_problem(args) is not None,
        lambda args: str(_target_problem(args)),
    ),
)

_StepAdjustment = aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs


class BrokerScaling(Component):
    """The scalable target of a service with its policies and the alarms that drive them.

    Attributes:
        backlog_per_task: messages per running task that are aimed at.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: BrokerScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"BrokerScaling {name!r}", args, _RULES)
        self._backlog = backlog(args.broker, args.queue)
        self._running = scaling_metrics.running(args.service)
        self.backlog_per_task = backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
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
            self._track(args)
            if args.min_tasks == 0:
                self._wake()
            self._rest(args)
        self.publish({"resource_id": args.service.resource_id, "backlog_per_task": self.backlog_per_task})

    def _track(self, args: BrokerScalingArgs) -> None:
        specification = (
            aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationArgs(
                metrics=scaling_metrics.tracking_metrics(
                    f"{self._backlog.expression} / running",
                    "Messages per running task",
                    [*self._backlog.metrics, self._running],
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
                    target_value=self.backlog_per_task,
                    customized_metric_specification=specification,
                    scale_out_cooldown=args.scale_out_cooldown_seconds,
                    scale_in_cooldown=args.scale_in_cooldown_seconds,
                )
            ),
            opts=self.child(),
        )

    def _wake(self) -> None:
        """+1, never "exactly 1", which would shrink a service that target tracking has just scaled."""
        policy = self._step_policy(
            "wake",
            "ChangeInCapacity",
            _StepAdjustment(scaling_adjustment=1, metric_interval_lower_bound="0"),
            cooldown_seconds=_WAKE_COOLDOWN_SECONDS,
        )
        self._alarm(
            "wake",
            f"Not a fault: starts a task of {self.name} when messages wait and none runs. Target tracking cannot: it "
            "multiplies the tasks that run.",
            f"IF(({self._backlog.expression} > 0) AND (FILL(running, 0) < 1), 1, 0)",
            "Messages wait and no task runs",
            [*self._backlog.metrics, self._running],
            policy,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=_WAKE_PERIODS,
        )

    def _rest(self, args: BrokerScalingArgs) -> None:
        policy = self._step_policy(
            "idle",
            "ExactCapacity",
            _StepAdjustment(scaling_adjustment=args.min_tasks, metric_interval_upper_bound="0"),
            cooldown_seconds=args.scale_in_cooldown_seconds,
        )
        self._alarm(
            "idle",
            f"Not a fault: takes {self.name} to its minimum of {args.min_tasks} when no message has been in the queue "
            f"for {_IDLE_PERIODS} minutes. In ALARM whenever the queue is idle.",
            self._backlog.expression,
            "Messages in the queue",
            self._backlog.metrics,
            policy,
            comparison_operator="LessThanOrEqualToThreshold",
            threshold=0,
            evaluation_periods=_IDLE_PERIODS,
        )

    def _alarm(
        self,
        purpose: str,
        description: str,
        expression: str,
        label: str,
        metrics: Sequence[Metric],
        policy: aws.appautoscaling.Policy,
        *,
        comparison_operator: str,
        threshold: float,
        evaluation_periods: int,
    ) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{self.name}-{purpose}-alarm",
            alarm_description=description,
            metric_queries=scaling_metrics.alarm_queries(expression, label, metrics),
            comparison_operator=comparison_operator,
            threshold=threshold,
            evaluation_periods=evaluation_periods,
            # Without data nobody knows the queue.
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self.child(),
        )

    def _step_policy(
        self, purpose: str, adjustment_type: str, adjustment: _StepAdjustment, *, cooldown_seconds: int
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
                step_adjustments=[adjustment],
            ),
            opts=self.child(),
        )
