"""JobAlarms: jobs without a task, jobs without an end, events that could not be written."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.validation import Range, check
from components.jobs.create_job import CreateJob
from components.jobs.track_job import TrackJob
from components.observability.alarms import Notice, Runbook, dead_letter_alarm, occurrence_alarm
from contracts import metrics
from contracts.job_functions import METRICS_NAMESPACE, OLDEST_UNFINISHED, OLDEST_UNLAUNCHED, UNLAUNCHABLE

__all__ = ["JobAlarms", "JobAlarmsArgs"]

_TICKS = 2
"""One tick may have come while a launch was under way."""


@dataclass(frozen=True, kw_only=True)
class JobAlarmsArgs:
    """Arguments of `JobAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        create, track: the functions.
        unlaunched_seconds: how long a job may be without a task, 60 to 86,400; default 300.
        unfinished_seconds: how long a job may take, 60 to 1,209,600; default 86,400.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    create: CreateJob
    track: TrackJob
    unlaunched_seconds: int = 300
    unfinished_seconds: int = 86_400
    topic_arn: pulumi.Input[str] | None = None


_RULES = (
    Range("unlaunched_seconds", 60, 86_400, "seconds"),
    Range("unfinished_seconds", 60, 1_209_600, "seconds"),
)


class JobAlarms(Component):
    """What nobody who waits for a job would see.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: JobAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"JobAlarms {name!r}", args, _RULES)
        self._args = args
        pattern = args.pattern
        alarms = [
            dead_letter_alarm(
                self,
                f"{name}-untracked",
                args.track.queue.dead_letter_queue,
                self._notice(
                    f"What became of jobs of {pattern} could not be written; the events stay for 14 days.",
                    f"peek-dlq {pattern}",
                ),
            ),
            dead_letter_alarm(
                self,
                f"{name}-undelivered",
                args.track.rule.dead_letter_queue,
                self._notice(
                    f"EventBridge could not deliver events of jobs of {pattern}; they stay for 14 days.",
                    f"peek-dlq {pattern}",
                ),
            ),
            self._age(
                f"{name}-unlaunched",
                OLDEST_UNLAUNCHED,
                args.unlaunched_seconds,
                f"Jobs of {pattern} have waited for a task for {args.unlaunched_seconds} seconds.",
                f"jobs list {pattern} --status SUBMITTED",
            ),
            self._age(
                f"{name}-unfinished",
                OLDEST_UNFINISHED,
                args.unfinished_seconds,
                f"A job of {pattern} has not ended for {args.unfinished_seconds} seconds.",
                f"jobs list {pattern}",
            ),
            occurrence_alarm(
                self,
                f"{name}-unlaunchable",
                self._notice(
                    f"Jobs of {pattern} were given up without a task.", f"jobs list {pattern} --status FAILED"
                ),
                namespace=METRICS_NAMESPACE,
                metric=UNLAUNCHABLE,
                dimensions=self._dimensions(),
            ),
            occurrence_alarm(
                self,
                f"{name}-create-errors",
                self._notice(f"The function that creates jobs of {pattern} fails.", f"jobs list {pattern}"),
                namespace="AWS/Lambda",
                metric="Errors",
                dimensions={"FunctionName": args.create.function.function_name},
            ),
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _notice(self, meaning: str, command: str) -> Notice:
        return Notice(meaning=meaning, command=command, runbook=Runbook.JOBS, topic_arn=self._args.topic_arn)

    def _dimensions(self) -> dict[str, str]:
        return {metrics.STACK: pulumi.get_stack(), metrics.PATTERN: self._args.pattern}

    def _age(self, name: str, metric: str, seconds: int, meaning: str, command: str) -> aws.cloudwatch.MetricAlarm:
        notice = self._notice(meaning, command)
        return aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=notice.description,
            namespace=METRICS_NAMESPACE,
            metric_name=metric,
            dimensions=self._dimensions(),
            statistic="Maximum",
            period=60,
            evaluation_periods=_TICKS,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=seconds,
            treat_missing_data="notBreaching",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )
