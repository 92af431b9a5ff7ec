"""Job: a Fargate task that somebody starts on purpose, at most once for a token, and whose end is known."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Range, check
from components.encryption import EncryptionKey
from components.jobs.create_job import CreateJob, CreateJobArgs
from components.jobs.job_table import JobTable, JobTableArgs
from components.jobs.track_job import TrackJob, TrackJobArgs
from components.manifest import dead_letter_queue_ref, published, queue_ref
from components.observability.job_alarms import JobAlarms, JobAlarmsArgs
from components.patterns.manifests import pattern_manifest, task_ref
from components.patterns.standalone_task import StandaloneTaskArgs, create_task
from components.patterns.worker import OWNED_VARIABLES
from contracts import environment as env
from contracts import job_functions, launching
from contracts.manifest import Holds, JobsRef

__all__ = ["PATTERN", "Job", "JobArgs"]

PATTERN = "job"


@dataclass(frozen=True, kw_only=True)
class JobArgs(StandaloneTaskArgs):
    """Arguments of `Job`, beside those of `StandaloneTaskArgs`: a job whose task is reclaimed has failed.

    Attributes:
        url: whether jobs can be created at a URL, by signed requests; default True.
        patience_seconds: how long a job may wait for a launch that succeeds, 60 to 86,400; default 3,600.
        retention_days: how long an ended job is remembered, 1 to 3,650; default 30.
        reserved_concurrency: of the function that creates jobs; default None.
        encryption_key: of the table and the queues; default None.
        unlaunched_seconds, unfinished_seconds: see `JobAlarmsArgs`.
    """

    url: bool = True
    patience_seconds: int = 3_600
    retention_days: int = 30
    reserved_concurrency: int | None = None
    encryption_key: EncryptionKey | None = None
    unlaunched_seconds: int = 300
    unfinished_seconds: int = 86_400


_RULES = (Range("retention_days", 1, 3_650, "days"), OWNED_VARIABLES)


class Job(Component):
    """Table, task, and the two functions.

    Attributes:
        table, task, create, track: the parts.
        alarms: None when they are off.
    """

    def __init__(self, name: str, args: JobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"Job {name!r}", args, _RULES)
        self.args = args
        self.table = JobTable(f"{name}-jobs", JobTableArgs(encryption_key=args.encryption_key), self.child())
        self.task = create_task(self, args)
        environment = self._function_environment(args)
        self.track = TrackJob(
            f"{name}-track",
            TrackJobArgs(
                pattern=name,
                task=self.task,
                table=self.table,
                environment=environment,
                log_retention_days=args.log_retention_days,
                encryption_key=args.encryption_key,
            ),
            self.child(),
        )
        self.create = CreateJob(
            f"{name}-create",
            CreateJobArgs(
                pattern=name,
                task=self.task,
                table=self.table,
                environment=environment,
                dead_letter_queue=self.track.rule.dead_letter_queue,
                patience_seconds=args.patience_seconds,
                url=args.url,
                reserved_concurrency=args.reserved_concurrency,
                log_retention_days=args.log_retention_days,
            ),
            self.child(),
        )
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"table_name": self.table.table_name, "function_name": self.create.function.function_name})

    def _function_environment(self, args: JobArgs) -> dict[str, pulumi.Input[str]]:
        return {
            env.STACK: pulumi.get_stack(),
            env.PATTERN: self.name,
            job_functions.TABLE: self.table.table_name,
            job_functions.RETENTION_DAYS: str(args.retention_days),
            launching.CLUSTER: self.task.cluster.arn,
            launching.CONTAINER: self.task.definition.container_name,
        }

    def _create_alarms(self, args: JobArgs) -> JobAlarms:
        return JobAlarms(
            f"{self.name}-alarms",
            JobAlarmsArgs(
                pattern=self.name,
                create=self.create,
                track=self.track,
                unlaunched_seconds=args.unlaunched_seconds,
                unfinished_seconds=args.unfinished_seconds,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        track = self.track
        return pattern_manifest(
            self,
            PATTERN,
            jobs=published(
                JobsRef,
                table=self.table.table_name,
                create_function=self.create.function.function_name,
                track_function=track.function.function_name,
                container=self.task.definition.container_name,
                retention_days=self.args.retention_days,
                url=self.create.url,
            ),
            task=task_ref(self.task),
            queue=queue_ref(track.queue),
            dead_letter_queues=[
                dead_letter_queue_ref(track.queue.dead_letter_queue, Holds.MESSAGES, origin_arn=track.queue.arn),
                dead_letter_queue_ref(track.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS),
            ],
            alarms=self.alarms.alarm_names if self.alarms else [],
        )
