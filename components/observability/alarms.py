"""Alarms that say what happened and what to type first.

An alarm's description is what somebody reads at night: the meaning, the first command, the runbook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from components.compute import scaling_metrics
from components.compute.service import Service
from components.core.base import Component
from components.routers.rule import Rule
from components.stores.queue import DeadLetterQueue, Queue

__all__ = [
    "Notice",
    "Runbook",
    "dead_letter_alarm",
    "failed_invocations_alarm",
    "no_running_task_alarm",
    "occurrence_alarm",
    "oldest_message_alarm",
    "unattended_alarm",
]

_MINUTE_SECONDS = 60


class Runbook(StrEnum):
    """Files that a description may refer to; each exists."""

    ACTIVITY_POOL = "docs/runbooks/activity-pool.md"
    AIRFLOW = "docs/runbooks/airflow.md"
    API = "docs/runbooks/api.md"
    BROKER = "docs/runbooks/broker.md"
    DEAD_LETTER_QUEUE = "docs/runbooks/dead-letter-queue.md"
    JOBS = "docs/runbooks/jobs.md"
    OLDEST_MESSAGE = "docs/runbooks/oldest-message.md"
    RUN_TASK_FAILURES = "docs/runbooks/run-task-failures.md"
    STREAM_BEHIND = "docs/runbooks/stream-behind.md"
    KAFKA_CLUSTER = "docs/runbooks/kafka-cluster.md"
    KAFKA_LAG = "docs/runbooks/kafka-lag.md"
    WORKFLOW = "docs/runbooks/workflow.md"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What an alarm tells, and whom.

    Attributes:
        meaning: one sentence or two.
        command: what to type first, without ``ops --stack <stack>``.
        runbook: what to read next.
        topic_arn: told of the alarm and of its end; None tells nobody.
    """

    meaning: str
    command: str
    runbook: Runbook
    topic_arn: pulumi.Input[str] | None = None

    @property
    def description(self) -> str:
        return f"{self.meaning} First: ops --stack {pulumi.get_stack()} {self.command}. Runbook: {self.runbook}"

    @property
    def actions(self) -> Sequence[pulumi.Input[str]] | None:
        return None if self.topic_arn is None else [self.topic_arn]


def dead_letter_alarm(
    owner: Component, name: str, queue: DeadLetterQueue, notice: Notice
) -> aws.cloudwatch.MetricAlarm:
    """Rises with the first message in a dead-letter queue and stays until it is empty.

    Depth, not NumberOfMessagesSent: SQS does not count what it moves there itself. A queue that nobody touches stops
    reporting after six hours, so missing data keeps the state: silence is not an empty queue.
    """
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=notice.description,
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": queue.queue_name},
        statistic="Maximum",
        period=_MINUTE_SECONDS,
        evaluation_periods=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1,
        treat_missing_data="ignore",
        alarm_actions=notice.actions,
        ok_actions=notice.actions,
        opts=owner.child(),
    )


def oldest_message_alarm(
    owner: Component, name: str, queue: Queue, notice: Notice, *, threshold_seconds: int
) -> aws.cloudwatch.MetricAlarm:
    """Rises when a message has waited for `threshold_seconds`: the workers are too few, too slow, or not there."""
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=notice.description,
        namespace="AWS/SQS",
        metric_name="ApproximateAgeOfOldestMessage",
        dimensions={"QueueName": queue.queue_name},
        statistic="Maximum",
        period=_MINUTE_SECONDS,
        evaluation_periods=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=threshold_seconds,
        treat_missing_data="ignore",
        alarm_actions=notice.actions,
        ok_actions=notice.actions,
        opts=owner.child(),
    )


def occurrence_alarm(
    owner: Component,
    name: str,
    notice: Notice,
    *,
    namespace: str,
    metric: str,
    dimensions: Mapping[str, pulumi.Input[str]],
    period_seconds: int = _MINUTE_SECONDS,
) -> aws.cloudwatch.MetricAlarm:
    """Rises with the first of what `metric` counts, and ends with a period without any."""
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=notice.description,
        namespace=namespace,
        metric_name=metric,
        dimensions=dimensions,
        statistic="Sum",
        period=period_seconds,
        evaluation_periods=1,
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        treat_missing_data="notBreaching",
        alarm_actions=notice.actions,
        ok_actions=notice.actions,
        opts=owner.child(),
    )


def failed_invocations_alarm(owner: Component, name: str, rule: Rule, notice: Notice) -> aws.cloudwatch.MetricAlarm:
    """Rises when a rule could not invoke a target for good: RunTask refused, a queue without a policy, a lost role.

    EventBridge reports the metric only when it is over zero: by bus and rule for the rules of a custom bus, by the rule
    alone for those of the default bus (EventBridge user guide, "Monitoring Amazon EventBridge").
    """
    dimensions: dict[str, pulumi.Input[str]] = {"RuleName": rule.rule_name}
    if not rule.on_default_bus:
        dimensions["EventBusName"] = rule.rule.event_bus_name.apply(str)
    return occurrence_alarm(
        owner, name, notice, namespace="AWS/Events", metric="FailedInvocations", dimensions=dimensions
    )


def unattended_alarm(
    owner: Component,
    name: str,
    notice: Notice,
    *,
    expression: str,
    label: str,
    metrics: Sequence[scaling_metrics.Metric],
    minutes: int,
) -> aws.cloudwatch.MetricAlarm:
    """Rises when `expression` was 1 for `minutes`: something waits, and no task ran."""
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=notice.description,
        metric_queries=scaling_metrics.alarm_queries(expression, label, metrics),
        evaluation_periods=minutes,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1,
        treat_missing_data="notBreaching",
        alarm_actions=notice.actions,
        ok_actions=notice.actions,
        opts=owner.child(),
    )


def no_running_task_alarm(
    owner: Component, name: str, queue: Queue, service: Service, notice: Notice, *, minutes: int
) -> aws.cloudwatch.MetricAlarm:
    """Rises when messages have waited for `minutes` and no task ran: the service cannot start any.

    ECS tells of that in events (SERVICE_TASK_PLACEMENT_FAILURE, SERVICE_TASK_START_IMPAIRED), which name one cause each
    and have no end. The effect as a metric covers every cause (no capacity, no image, no permission, a crash at the
    start, a desired count of zero) and ends when it is over.
    """
    return unattended_alarm(
        owner,
        name,
        notice,
        expression=scaling_metrics.UNATTENDED,
        label="Messages wait and no task runs",
        metrics=[scaling_metrics.visible(queue), scaling_metrics.running(service)],
        minutes=minutes,
    )
