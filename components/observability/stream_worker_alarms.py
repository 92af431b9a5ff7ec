"""StreamWorkerAlarms: the alarms of one application that reads a stream."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute import scaling_metrics
from components.compute.service import Service
from components.compute.stream_scaling import lag_dimensions
from components.core.base import Component
from components.core.validation import Range, check
from components.observability.alarms import Notice, Runbook, dead_letter_alarm, failed_invocations_alarm
from components.routers.rule import Rule
from components.stores.queue import DeadLetterQueue
from components.streams.kinesis import KinesisStream, StreamConsumer
from contracts import metrics

__all__ = ["StreamWorkerAlarms", "StreamWorkerAlarmsArgs"]

_MINUTE_SECONDS = 60
_BEHIND_MINUTES = 3


@dataclass(frozen=True, kw_only=True)
class StreamWorkerAlarmsArgs:
    """Arguments of `StreamWorkerAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        on_failure_queue: for the records that could not be processed.
        service: the workers.
        behind_seconds: lag that raises an alarm, 60 to 31,536,000; a good value is five times the acceptable latency.
        stream, consumer: with enhanced fan-out: what it reads as which registered consumer; default None, it polls, and
            the stream's own alarms watch the age of what was read.
        rule: which feeds the stream; default None: something else does.
        no_task_minutes: minutes without a running task, 5 to 60; default 10.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    on_failure_queue: DeadLetterQueue
    service: Service
    behind_seconds: int
    stream: KinesisStream | None = None
    consumer: StreamConsumer | None = None
    rule: Rule | None = None
    no_task_minutes: int = 10
    topic_arn: pulumi.Input[str] | None = None


_RULES = (
    Range("behind_seconds", 60, 31_536_000, "seconds"),
    Range("no_task_minutes", 5, 60, "minutes"),
)


class StreamWorkerAlarms(Component):
    """Records that failed, records that are handled late, no worker; with a rule, what it could not deliver.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: StreamWorkerAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"StreamWorkerAlarms {name!r}", args, _RULES)
        self._args = args
        alarms = [
            dead_letter_alarm(
                self,
                f"{name}-dead-letters",
                args.on_failure_queue,
                self._notice(
                    f"Records of {args.pattern} could not be processed and are in its on-failure queue; they stay for "
                    "14 days.",
                    "peek-dlq",
                    Runbook.DEAD_LETTER_QUEUE,
                ),
            ),
            self._behind(),
            self._no_task(),
            *([self._expiring(args.stream, args.consumer)] if args.stream and args.consumer else []),
            *(self._undelivered(args.rule) if args.rule else []),
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _notice(self, meaning: str, command: str, runbook: Runbook) -> Notice:
        return Notice(
            meaning=meaning,
            command=f"{command} {self._args.pattern}",
            runbook=runbook,
            topic_arn=self._args.topic_arn,
        )

    def _behind(self) -> aws.cloudwatch.MetricAlarm:
        args = self._args
        notice = self._notice(
            f"{args.pattern} handles records {args.behind_seconds:,} seconds late or more.",
            "status",
            Runbook.STREAM_BEHIND,
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-behind",
            alarm_description=notice.description,
            namespace=metrics.NAMESPACE,
            metric_name=metrics.LAG_MILLISECONDS,
            dimensions=lag_dimensions(args.pattern),
            statistic="Maximum",
            period=_MINUTE_SECONDS,
            evaluation_periods=_BEHIND_MINUTES,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=args.behind_seconds * 1000,
            treat_missing_data="ignore",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )

    def _expiring(self, stream: KinesisStream, consumer: StreamConsumer) -> aws.cloudwatch.MetricAlarm:
        """GetRecords.IteratorAgeMilliseconds, which the stream's alarm watches, is of those who poll."""
        age_seconds = stream.retention_hours * 3600 // 2
        notice = self._notice(
            f"The consumer of {self._args.pattern} is {age_seconds:,} seconds behind the stream {stream.name}; records "
            f"are kept for {stream.retention_hours:,} hours.",
            "status",
            Runbook.STREAM_BEHIND,
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-consumer-age",
            alarm_description=notice.description,
            namespace="AWS/Kinesis",
            metric_name="SubscribeToShardEvent.MillisBehindLatest",
            dimensions={"StreamName": stream.stream_name, "ConsumerName": consumer.consumer_name},
            statistic="Maximum",
            period=_MINUTE_SECONDS,
            evaluation_periods=_BEHIND_MINUTES,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=age_seconds * 1000,
            # Nobody is subscribed: that is the alarm about tasks.
            treat_missing_data="notBreaching",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )

    def _no_task(self) -> aws.cloudwatch.MetricAlarm:
        """Nobody reads, and a lag that nobody measures raises no alarm."""
        args = self._args
        running = scaling_metrics.running(args.service)
        notice = self._notice(
            f"No task of {args.pattern} has run for {args.no_task_minutes} minutes: nobody reads the stream.",
            "scale",
            Runbook.RUN_TASK_FAILURES,
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-no-running-task",
            alarm_description=notice.description,
            namespace=running.namespace,
            metric_name=running.name,
            dimensions=running.dimensions,
            statistic=running.stat,
            period=_MINUTE_SECONDS,
            evaluation_periods=args.no_task_minutes,
            comparison_operator="LessThanThreshold",
            threshold=1,
            # A service without tasks publishes nothing.
            treat_missing_data="breaching",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )

    def _undelivered(self, rule: Rule) -> list[aws.cloudwatch.MetricAlarm]:
        pattern = self._args.pattern
        return [
            dead_letter_alarm(
                self,
                f"{self.name}-undelivered",
                rule.dead_letter_queue,
                self._notice(
                    f"EventBridge could not deliver events of {pattern} to its stream; they stay for 14 days.",
                    "peek-dlq",
                    Runbook.DEAD_LETTER_QUEUE,
                ),
            ),
            failed_invocations_alarm(
                self,
                f"{self.name}-failed-invocations",
                rule,
                self._notice(
                    f"The rule of {pattern} could not invoke its target.", "status", Runbook.RUN_TASK_FAILURES
                ),
            ),
        ]
