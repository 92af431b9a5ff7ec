"""StreamAlarms: the alarms of a Kinesis stream itself, whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.validation import Range, check
from components.observability.alarms import Notice, Runbook
from components.streams.kinesis import KinesisStream

__all__ = ["StreamAlarms", "StreamAlarmsArgs"]

_MINUTE_SECONDS = 60
_THROTTLED_MINUTES = 5


@dataclass(frozen=True, kw_only=True)
class StreamAlarmsArgs:
    """Arguments of `StreamAlarms`.

    Attributes:
        stream: which is watched.
        pattern: the one that owns the stream, which `ops` commands take; default None: several share it.
        iterator_age_seconds: age of the records that the slowest reader gets, from 60 to 31,536,000; default None, half
            of the retention: from there on, records are about to be lost unread (Kinesis developer guide,
            "Recommended metrics").
        topic_arn: whom they notify; default None, nobody.
    """

    stream: KinesisStream
    pattern: str | None = None
    iterator_age_seconds: int | None = None
    topic_arn: pulumi.Input[str] | None = None


_RULES = (Range("iterator_age_seconds", 60, 31_536_000, "seconds"),)


class StreamAlarms(Component):
    """Records about to expire unread, throttled readers, throttled producers.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: StreamAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"StreamAlarms {name!r}", args, _RULES)
        self._args = args
        age_seconds = args.iterator_age_seconds or args.stream.retention_hours * 3600 // 2
        alarms = [
            self._alarm(
                "iterator-age",
                "GetRecords.IteratorAgeMilliseconds",
                "Maximum",
                threshold=age_seconds * 1000,
                minutes=3,
                meaning=f"A reader of the stream {args.stream.name} is {age_seconds:,} seconds behind; records are "
                f"kept for {args.stream.retention_hours:,} hours.",
            ),
            self._alarm(
                "read-throttled",
                "ReadProvisionedThroughputExceeded",
                "Sum",
                threshold=1,
                minutes=_THROTTLED_MINUTES,
                meaning=f"Readers of the stream {args.stream.name} have been throttled for {_THROTTLED_MINUTES} "
                "minutes: too many of them poll.",
            ),
            self._alarm(
                "write-throttled",
                "WriteProvisionedThroughputExceeded",
                "Sum",
                threshold=1,
                minutes=_THROTTLED_MINUTES,
                meaning=f"Producers of the stream {args.stream.name} have been throttled for {_THROTTLED_MINUTES} "
                "minutes: too few shards, or one hot partition key.",
            ),
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _alarm(
        self, purpose: str, metric: str, statistic: str, *, threshold: int, minutes: int, meaning: str
    ) -> aws.cloudwatch.MetricAlarm:
        notice = Notice(
            meaning=meaning,
            command=f"status {self._args.pattern}" if self._args.pattern else "status",
            runbook=Runbook.STREAM_BEHIND,
            topic_arn=self._args.topic_arn,
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-{purpose}",
            alarm_description=notice.description,
            namespace="AWS/Kinesis",
            metric_name=metric,
            dimensions={"StreamName": self._args.stream.stream_name},
            statistic=statistic,
            period=_MINUTE_SECONDS,
            evaluation_periods=minutes,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            # No reader or no writer in that minute: nothing was late and nothing was throttled.
            treat_missing_data="notBreaching",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )
