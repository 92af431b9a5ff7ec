"""The three metrics that say how a queue and its workers are doing, for alarms and for target tracking.

All are free, and published once a minute. None is filled where it is missing: CloudWatch's FILL also fills the newest
minute while its sample is late, and a policy would act on the invented value (CloudWatch user guide, metric math,
"FILL").
An expression without FILL has a value only in minutes in which all of its metrics have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.service import Service
from components.stores.queue import Queue

__all__ = [
    "BACKLOG",
    "BACKLOG_PER_TASK",
    "PERIOD_SECONDS",
    "UNATTENDED",
    "Metric",
    "alarm_queries",
    "in_flight",
    "per_task",
    "running",
    "tracking_metrics",
    "unattended",
    "visible",
]

PERIOD_SECONDS = 60

BACKLOG = "visible + in_flight"
"""Messages that are not done. Visible alone would let a scale-in stop tasks that work."""


def per_task(waiting: str) -> str:
    """What waits for each running task.

    No value without a running task: target tracking then waits, and waking is the alarm's job. (It could not do it
    itself: it multiplies the running tasks, and zero times anything is zero.)
    """
    return f"{waiting} / running"


def unattended(waiting: str) -> str:
    """1 while something waits and no task runs.

    Here FILL is right: a service at zero publishes nothing. Its alarm asks for more than one period, so that a late
    sample of running tasks is not taken for none.
    """
    return f"IF(({waiting} > 0) AND (FILL(running, 0) < 1), 1, 0)"


BACKLOG_PER_TASK = per_task(f"({BACKLOG})")

UNATTENDED = unattended("visible")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric with its statistic, known in expressions by `id`."""

    id: str
    namespace: str
    name: str
    stat: str
    dimensions: Mapping[str, pulumi.Input[str]]


def visible(queue: Queue) -> Metric:
    """Messages that wait. Maximum, so that no sample in the minute hides one; SQS sends one a minute."""
    return _queue_metric("visible", "ApproximateNumberOfMessagesVisible", queue)


def in_flight(queue: Queue) -> Metric:
    """Messages that a worker holds."""
    return _queue_metric("in_flight", "ApproximateNumberOfMessagesNotVisible", queue)


def running(service: Service) -> Metric:
    """Running tasks: each sends one CPU sample a minute, so counting samples counts tasks.

    ECS developer guide, "Amazon ECS service utilization metrics", "Service RUNNING task count". Container Insights'
    RunningTaskCount is the same number for money.
    """
    return Metric(
        id="running",
        namespace="AWS/ECS",
        name="CPUUtilization",
        stat="SampleCount",
        dimensions={"ClusterName": service.cluster_name, "ServiceName": service.service_name},
    )


def _queue_metric(identifier: str, name: str, queue: Queue) -> Metric:
    return Metric(
        id=identifier, namespace="AWS/SQS", name=name, stat="Maximum", dimensions={"QueueName": queue.queue_name}
    )


def alarm_queries(
    expression: str, label: str, metrics: Sequence[Metric]
) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
    """The metric queries of an alarm on `expression`."""
    query = aws.cloudwatch.MetricAlarmMetricQueryArgs
    return [
        query(id="result", expression=expression, label=label, return_data=True),
        *(
            query(
                id=metric.id,
                return_data=False,
                metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                    namespace=metric.namespace,
                    metric_name=metric.name,
                    stat=metric.stat,
                    period=PERIOD_SECONDS,
                    dimensions=metric.dimensions,
                ),
            )
            for metric in metrics
        ),
    ]


_Tracking = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricArgs
_TrackingStat = (
    aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatArgs
)
_TrackingMetric = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatMetricArgs  # noqa: E501 - the provider's own name
_TrackingDimension = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatMetricDimensionArgs  # noqa: E501 - the provider's own name


def tracking_metrics(expression: str, label: str, metrics: Sequence[Metric]) -> list[_Tracking]:
    """The metrics of a target-tracking policy on `expression`."""
    return [
        *(
            _Tracking(
                id=metric.id,
                return_data=False,
                metric_stat=_TrackingStat(
                    stat=metric.stat,
                    metric=_TrackingMetric(
                        namespace=metric.namespace,
                        metric_name=metric.name,
                        dimensions=[
                            _TrackingDimension(name=name, value=value) for name, value in metric.dimensions.items()
                        ],
                    ),
                ),
            )
            for metric in metrics
        ),
        _Tracking(id="result", expression=expression, label=label, return_data=True),
    ]
