"""KafkaScaling: the number of a service's tasks follows the lag of its consumer group, to zero and back.

Target tracking on records of lag per running task; from zero, one task when there is lag and none runs; to the minimum
when there was no lag for `idle_periods`. Never more tasks than partitions: a member without one has no work.

MSK reports the lag of a group that has committed an offset, also while no member runs (MSK developer guide, "Monitor
consumer lags"). A group that never ran has none, so a new service begins with one task, not with zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute import scaling_metrics as metrics
from components.compute.scaling_metrics import Metric
from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Check, Range, check
from components.streams.kafka import KafkaCluster, KafkaTopic
from contracts.errors import ScalingError
from contracts.scaling import backlog_per_task_target

__all__ = ["LAG_PER_TASK", "UNATTENDED", "KafkaScaling", "KafkaScalingArgs", "lag_metric"]

LAG_PER_TASK = "lag / running"
"""No value without a running task: target tracking then waits, and waking is the alarm's job."""

UNATTENDED = "IF((lag > 0) AND (FILL(running, 0) < 1), 1, 0)"
"""1 while there is lag and no task runs. A service at zero publishes nothing, so here FILL is right."""

_WAKE_COOLDOWN_SECONDS = 180
"""Until the woken task counts as running: it starts (up to a minute) and its first samples arrive (up to two)."""


def lag_metric(
    cluster: KafkaCluster, topic: KafkaTopic, group: str, *, name: str = "SumOffsetLag", identifier: str = "lag"
) -> Metric:
    """A consumer-lag metric of MSK, e.g. ``SumOffsetLag``: records behind the group's commits, over all partitions."""
    return Metric(
        id=identifier,
        namespace="AWS/Kafka",
        name=name,
        stat="Maximum",
        dimensions={"Cluster Name": cluster.cluster_name, "Consumer Group": group, "Topic": topic.name},
    )


@dataclass(frozen=True, kw_only=True)
class KafkaScalingArgs:
    """Arguments of `KafkaScaling`.

    Attributes:
        service: which is scaled.
        cluster, topic, group: whose lag it works off.
        min_tasks: 0 to `max_tasks`; default 0, which costs nothing while there is no lag.
        max_tasks: 1 to the topic's partitions; default None, the partitions. Equal to `min_tasks` it fixes the number.
        acceptable_latency_seconds: how long a record may wait; default 60.
        processing_seconds: what a task spends on a record; default 1.
        scale_out_cooldown_seconds: 0 to 3,600; default 120: a task's start, its share of the partitions, and its first
            sample.
        scale_in_cooldown_seconds: 0 to 3,600; default 300.
        wake_periods: minutes in a row, 1 to 10, with lag and no task before one is started; default 2.
        idle_periods: minutes in a row, 1 to 60, without lag before the service goes to its minimum; default 5.
    """

    service: Service
    cluster: KafkaCluster
    topic: KafkaTopic
    group: str
    min_tasks: int = 0
    max_tasks: int | None = None
    acceptable_latency_seconds: float = 60
    processing_seconds: float = 1
    scale_out_cooldown_seconds: int = 120
    scale_in_cooldown_seconds: int = 300
    wake_periods: int = 2
    idle_periods: int = 5

    @property
    def ceiling(self) -> int:
        """`max_tasks`, or as many as there are partitions."""
        return self.topic.partitions if self.max_tasks is None else self.max_tasks


def _target_problem(args: KafkaScalingArgs) -> str | None:
    try:
        backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
    except ScalingError as error:
        return str(error)
    return None


_RULES = (
    Range("min_tasks", 0, 1_000, "tasks"),
    Range("max_tasks", 1, 1_000, "tasks"),
    Range("scale_out_cooldown_seconds", 0, 3_600, "seconds"),
    Range("scale_in_cooldown_seconds", 0, 3_600, "seconds"),
    Range("wake_periods", 1, 10, "minutes"),
    Range("idle_periods", 1, 60, "minutes"),
    Check(
        ("max_tasks",),
        lambda args: args.ceiling > args.topic.partitions,
        lambda args: (
            f"max_tasks is {args.max_tasks}, more than the {args.topic.partitions} partitions of {args.topic.name}: "
            "the rest would have no work; lower it or raise partitions"
        ),
    ),
    Check(
        ("min_tasks", "max_tasks"),
        lambda args: args.min_tasks > args.ceiling,
        lambda args: f"min_tasks is {args.min_tasks}, more than max_tasks ({args.ceiling}); lower it",
    ),
    Check(
        ("acceptable_latency_seconds", "processing_seconds"),
        lambda args: _target_problem(args) is not None,
        lambda args: str(_target_problem(args)),
    ),
)


class KafkaScaling(Component):
    """The scalable target of a service with its policies and the alarms that drive them.

    Attributes:
        backlog_per_task: records of lag per running task that are aimed at.
        max_tasks: in force.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: KafkaScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"KafkaScaling {name!r}", args, _RULES)
        self.backlog_per_task = backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
        self.max_tasks = args.ceiling
        self.target = aws.appautoscaling.Target(
            f"{name}-target",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=args.service.resource_id,
            min_capacity=args.min_tasks,
            max_capacity=self.max_tasks,
            opts=self.child(),
        )
        if args.min_tasks < self.max_tasks:
            lag = lag_metric(args.cluster, args.topic, args.group)
            self._track(args, lag)
            if args.min_tasks == 0:
                self._wake(args, lag)
            self._rest_when_idle(args, lag)
        self.publish({"resource_id": args.service.resource_id, "backlog_per_task": self.backlog_per_task})

    def _track(self, args: KafkaScalingArgs, lag: Metric) -> None:
        specification = (
            aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationArgs(
                metrics=metrics.tracking_metrics(
                    LAG_PER_TASK, "Records of lag per running task", [lag, metrics.running(args.service)]
                )
            )
        )
        aws.appautoscaling.Policy(
            f"{self.name}-lag",
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

    def _wake(self, args: KafkaScalingArgs, lag: Metric) -> None:
        # +1, never "exactly 1": that would shrink a service that target tracking has just scaled while its tasks start.
        policy = self._step_policy("wake", "ChangeInCapacity", 1, lower="0", cooldown_seconds=_WAKE_COOLDOWN_SECONDS)
        aws.cloudwatch.MetricAlarm(
            f"{self.name}-wake-alarm",
            alarm_description=(
                f"Not a fault: starts a task of {self.name} when records wait and none runs. Target tracking cannot: "
                "it multiplies the tasks that run."
            ),
            metric_queries=metrics.alarm_queries(
                UNATTENDED, "Records wait and no task runs", [lag, metrics.running(args.service)]
            ),
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=args.wake_periods,
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self.child(),
        )

    def _rest_when_idle(self, args: KafkaScalingArgs, lag: Metric) -> None:
        policy = self._step_policy(
            "idle", "ExactCapacity", args.min_tasks, upper="0", cooldown_seconds=args.scale_in_cooldown_seconds
        )
        aws.cloudwatch.MetricAlarm(
            f"{self.name}-idle-alarm",
            alarm_description=(
                f"Not a fault: takes {self.name} to its minimum of {args.min_tasks} when its group has had no lag for "
                f"{args.idle_periods} minutes. In ALARM whenever nothing waits."
            ),
            namespace=lag.namespace,
            metric_name=lag.name,
            dimensions=lag.dimensions,
            statistic=lag.stat,
            period=metrics.PERIOD_SECONDS,
            comparison_operator="LessThanOrEqualToThreshold",
            threshold=0,
            evaluation_periods=args.idle_periods,
            # Without data nobody knows that there is no lag, and a task may be busy.
            treat_missing_data="notBreaching",
            alarm_actions=[policy.arn],
            opts=self.child(),
        )

    def _step_policy(
        self,
        purpose: str,
        adjustment_type: str,
        adjustment: int,
        *,
        lower: str | None = None,
        upper: str | None = None,
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
                step_adjustments=[
                    aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs(
                        scaling_adjustment=adjustment,
                        metric_interval_lower_bound=lower,
                        metric_interval_upper_bound=upper,
                    )
                ],
            ),
            opts=self.child(),
        )
