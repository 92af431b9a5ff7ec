"""ScheduledTask: EventBridge Scheduler → Fargate task, with a dead-letter queue and a rule for runs that overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import OneOf, Range, check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published
from components.observability.alarms import Notice, Runbook, dead_letter_alarm
from components.patterns.manifests import pattern_manifest, task_ref
from components.patterns.standalone_task import RUN_EXPIRES_HOURS, StandaloneTaskArgs, create_task
from components.patterns.worker import OWNED_VARIABLES, create_idempotency_table
from components.routers.schedule import Schedule, ScheduleArgs
from contracts import environment as env
from contracts.manifest import Holds, ScheduleRef

__all__ = ["PATTERN", "Overlap", "ScheduledTask", "ScheduledTaskArgs"]

PATTERN = "scheduled-task"


class Overlap(StrEnum):
    """What a run does while the one before it is still running."""

    ALLOW = "allow"
    """Both run."""
    SKIP = "skip"
    """The new one ends at once."""
    QUEUE = "queue"
    """The new one waits in its task, which is billed; whose turn it is next is left to chance."""


@dataclass(frozen=True, kw_only=True)
class ScheduledTaskArgs(StandaloneTaskArgs):
    """Arguments of `ScheduledTask`, beside those of `StandaloneTaskArgs`: a reclaimed run is not repeated.

    Attributes:
        expression, time_zone, flexible_window_minutes, data, enabled: see `ScheduleArgs`.
        overlap: default skip.
        maximum_retry_attempts, maximum_event_age_seconds: of the start; defaults of `ScheduleArgs`.
        encryption_key: of the queue and the table; default None.
        description: of the schedule.
    """

    expression: str
    time_zone: str = "UTC"
    flexible_window_minutes: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    overlap: Overlap = Overlap.SKIP
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 3_600
    encryption_key: EncryptionKey | None = None
    description: str | None = None


_RULES = (
    OneOf("overlap", tuple(item.value for item in Overlap)),
    Range("flexible_window_minutes", 0, 1_440, "minutes"),
    OWNED_VARIABLES,
)


class ScheduledTask(Component):
    """A task at given times.

    Attributes:
        table, task, schedule: the parts.
        alarm: None when alarms are off.
    """

    def __init__(self, name: str, args: ScheduledTaskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"ScheduledTask {name!r}", args, _RULES)
        self.args = args
        # Scheduler delivers at least once: the table drops the copy, and holds the lock of the overlap rule.
        self.table = create_idempotency_table(self, RUN_EXPIRES_HOURS, args.encryption_key)
        self.task = create_task(
            self,
            args,
            table=self.table,
            expires_hours=RUN_EXPIRES_HOURS,
            variables={env.OVERLAP: args.overlap.value},
        )
        self.schedule = Schedule(
            name,
            ScheduleArgs(
                expression=args.expression,
                task=self.task,
                time_zone=args.time_zone,
                flexible_window_minutes=args.flexible_window_minutes,
                data=args.data,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_seconds=args.maximum_event_age_seconds,
                enabled=args.enabled,
                encryption_key=args.encryption_key,
                description=args.description,
            ),
            self.child(),
        )
        self.alarm = self._create_alarm(args) if args.alarms else None
        self.publish({"schedule": self.schedule.schedule_name})

    def _create_alarm(self, args: ScheduledTaskArgs) -> aws.cloudwatch.MetricAlarm:
        return dead_letter_alarm(
            self,
            f"{self.name}-unstarted",
            self.schedule.dead_letter_queue,
            Notice(
                meaning=f"Scheduler could not start runs of {self.name}; what they were is kept for 14 days.",
                command=f"peek-dlq {self.name}",
                runbook=Runbook.RUN_TASK_FAILURES,
                topic_arn=args.alarm_topic_arn,
            ),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        return pattern_manifest(
            self,
            PATTERN,
            schedule=published(
                ScheduleRef,
                name=self.schedule.schedule_name,
                expression=self.args.expression,
                time_zone=self.args.time_zone,
                overlap=self.args.overlap.value,
            ),
            task=task_ref(self.task),
            dead_letter_queues=[
                dead_letter_queue_ref(self.schedule.dead_letter_queue, Holds.UNDELIVERED_EVENTS),
            ],
            idempotency_table=self.table.table_name,
            alarms=[self.alarm.name] if self.alarm else [],
        )
