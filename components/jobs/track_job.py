"""TrackJob: ECS's events of the jobs' tasks → queue → function → table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.function import Function, FunctionArgs
from components.compute.task import Task
from components.core.base import Component
from components.encryption import EncryptionKey
from components.jobs.job_table import JobTable
from components.routers.event_sources import DefaultBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import SqsTarget
from components.stores.queue import Queue, QueueArgs
from contracts.jobs import started_by_prefix

__all__ = ["TrackJob", "TrackJobArgs"]

_TIMEOUT_SECONDS = 30
_BATCH_SIZE = 10
_MAX_RECEIVE_COUNT = 5


@dataclass(frozen=True, kw_only=True)
class TrackJobArgs:
    """Arguments of `TrackJob`.

    Attributes:
        pattern: whose jobs.
        task: what they run, and where.
        table: of the jobs.
        environment: of the function.
        log_retention_days: of the function; default 30.
        encryption_key: of the queues; default None, which is SSE-SQS.
    """

    pattern: str
    task: Task
    table: JobTable
    environment: Mapping[str, pulumi.Input[str]]
    log_retention_days: int = 30
    encryption_key: EncryptionKey | None = None


class TrackJob(Component):
    """Every change of a task of the jobs is written, or kept in a dead-letter queue.

    A queue between the rule and the function: a burst of events costs a tenth of the calls, the events of an outage
    wait for four days, and what cannot be written comes back with `ops replay-dlq`.

    Attributes:
        queue: where the events wait.
        rule, function: the parts.
    """

    def __init__(self, name: str, args: TrackJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.queue = Queue(
            name,
            QueueArgs(
                # Lambda's own advice is six times the function's timeout.
                visibility_timeout_seconds=6 * _TIMEOUT_SECONDS,
                max_receive_count=_MAX_RECEIVE_COUNT,
                encryption_key=args.encryption_key,
            ),
            self.child(),
        )
        self.function = Function(
            name,
            FunctionArgs(
                handler="functions.track_job.handle",
                description=f"Follows the tasks of the jobs of {args.pattern}",
                environment=args.environment,
                statements=[*args.table.update(), *self.queue.consume()],
                timeout_seconds=_TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
            ),
            self.child(),
        )
        policy = self.function.role_policy
        self.mapping = aws.lambda_.EventSourceMapping(
            name,
            event_source_arn=self.queue.arn,
            function_name=self.function.arn,
            batch_size=_BATCH_SIZE,
            function_response_types=["ReportBatchItemFailures"],
            # Lambda tries the role's permissions on the queue when the mapping is made.
            opts=self.child(depends_on=[policy] if policy else None),
        )
        self.rule = Rule(
            name,
            RuleArgs(
                bus=DefaultBus(),
                event_pattern={
                    "source": ["aws.ecs"],
                    "detail-type": ["ECS Task State Change"],
                    "detail": {
                        "clusterArn": [args.task.cluster.arn],
                        "startedBy": [{"prefix": started_by_prefix(args.pattern)}],
                    },
                },
                targets=[SqsTarget(queue=self.queue)],
                description=f"What becomes of the tasks of the jobs of {args.pattern}",
                encryption_key=args.encryption_key,
            ),
            self.child(),
        )
        self.publish({"queue_url": self.queue.url, "function_name": self.function.function_name})
