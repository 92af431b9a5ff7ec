"""StreamWorker: Kinesis stream → Fargate workers that share its shards; each application sees every record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.compute.stream_scaling import StreamScaling, StreamScalingArgs
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, OneOf, Range, check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published
from components.observability.stream_alarms import StreamAlarms, StreamAlarmsArgs
from components.observability.stream_worker_alarms import StreamWorkerAlarms, StreamWorkerAlarmsArgs
from components.patterns.manifests import worker_manifest
from components.patterns.worker import (
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    WorkerArgs,
    create_idempotency_table,
    create_service,
    create_task_definition,
)
from components.routers.event_bus import EventBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import KinesisTarget
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs
from components.streams.kinesis import KinesisStream, KinesisStreamArgs
from components.streams.lease_table import LeaseTable, LeaseTableArgs
from contracts import environment as env
from contracts.manifest import BusRef, Holds, RuleRef, ScalingRef, StreamRef

__all__ = ["PATTERN", "SCALING_POLICY", "START_POSITIONS", "StreamWorker", "StreamWorkerArgs"]

PATTERN = "stream-worker"
SCALING_POLICY = "lag"
START_POSITIONS = ("TRIM_HORIZON", "LATEST")


@dataclass(frozen=True, kw_only=True)
class StreamWorkerArgs(WorkerArgs):
    """Arguments of `StreamWorker`, beside those of `WorkerArgs`.

    Attributes:
        stream: an existing `KinesisStream`, shared with other applications, or the arguments of one of its own; default
            an on-demand stream.
        bus, event_pattern: which events of the bus a rule puts into the stream; default None, none: producers put
            records themselves.
        partition_key_path: with an event pattern: path to the value whose equals stay in order, e.g.
            ``$.detail.data.channel-id``; default None, no order.
        concurrency: records (of different partition keys) that one task handles at a time, 1 to 100; default 1.
        enhanced_fan_out: read as a registered consumer; default False, poll.
        start_position: where the application begins when it is new; TRIM_HORIZON (default) or LATEST.
        batch_size: records per read, 1 to 10,000; default 500.
        max_attempts: calls of the handler with one record, 1 to 1,000; default 5.
        lease_seconds: how long a vanished task's shards stay unattended, 2 to 300; default 20.
        acceptable_latency_seconds: how far behind it may be; default 60.
        min_tasks, max_tasks: see `StreamScalingArgs`; default 1 and the shards of the stream (4 on demand).
        maximum_retry_attempts, maximum_event_age_seconds: of EventBridge's delivery; defaults of `RuleArgs`.
        encryption_key: customer-managed key of the tables and the queue; default None.
        behind_seconds: lag that raises an alarm, from 60; default five times the acceptable latency, at least 300.
        description: of the rule.
    """

    stream: KinesisStream | KinesisStreamArgs = field(default_factory=KinesisStreamArgs)
    bus: EventBus | None = None
    event_pattern: Mapping[str, Any] | None = None
    partition_key_path: str | None = None
    enhanced_fan_out: bool = False
    start_position: str = "TRIM_HORIZON"
    batch_size: int = 500
    max_attempts: int = 5
    lease_seconds: int = 20
    acceptable_latency_seconds: float = 60
    min_tasks: int = 1
    max_tasks: int | None = None
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    encryption_key: EncryptionKey | None = None
    behind_seconds: int | None = None
    description: str | None = None


_RULES = (
    OneOf("start_position", START_POSITIONS),
    Range("concurrency", 1, 100, "records"),
    Range("batch_size", 1, 10_000, "records"),
    Range("max_attempts", 1, 1_000, "attempts"),
    Range("lease_seconds", 2, 300, "seconds"),
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    Range("behind_seconds", 60, 31_536_000, "seconds"),
    Check(
        ("bus", "event_pattern"),
        lambda args: (args.bus is None) != (args.event_pattern is None),
        "set both bus and event_pattern, for a rule that fills the stream, or neither",
    ),
    Check(
        ("partition_key_path", "event_pattern"),
        lambda args: args.partition_key_path is not None and args.event_pattern is None,
        lambda args: (
            f"partition_key_path is {args.partition_key_path!r} without event_pattern: producers choose the key of "
            "what they put themselves; leave it out"
        ),
    ),
)

_ON_DEMAND_TASKS = 4
"""The shards of a new on-demand stream."""


class StreamWorker(Component):
    """One application that reads a stream.

    Attributes:
        stream: its own or the shared one; `owns_stream` tells.
        consumer, rule, table: None without enhanced fan-out, without an event pattern, without idempotency.
        lease_table, on_failure_queue, task_definition, service, scaling: the other parts.
        alarms, stream_alarms: None without alarms; the second also when the stream is not its own.
    """

    def __init__(self, name: str, args: StreamWorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"StreamWorker {name!r}", args, _RULES)
        self.args = args
        self.owns_stream = isinstance(args.stream, KinesisStreamArgs)
        self.stream = (
            KinesisStream(name, args.stream, self.child())
            if isinstance(args.stream, KinesisStreamArgs)
            else args.stream
        )
        self.consumer = self.stream.register_consumer(name) if args.enhanced_fan_out else None
        self.rule = self._create_rule(args)
        self.lease_table = LeaseTable(
            f"{name}-leases", LeaseTableArgs(encryption_key=args.encryption_key), self.child()
        )
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.encryption_key)
        self.on_failure_queue = DeadLetterQueue(
            f"{name}-dlq", DeadLetterQueueArgs(encryption_key=args.encryption_key), self.child()
        )
        self.on_failure_queue.refuse_redrive()
        self.task_definition = self._create_task_definition(args)
        self.service = create_service(self, args, self.task_definition, desired_count=args.min_tasks)
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.stream_alarms = self._create_stream_alarms(args) if args.alarms and self.owns_stream else None
        self.publish({"stream_arn": self.stream.arn, "on_failure_queue_url": self.on_failure_queue.url})

    def _create_rule(self, args: StreamWorkerArgs) -> Rule | None:
        if args.bus is None or args.event_pattern is None:
            return None
        target = KinesisTarget(
            stream=self.stream,
            partition_key_path=args.partition_key_path,
            encryption_key=self.stream.encryption_key,
        )
        return Rule(
            self.name,
            RuleArgs(
                bus=args.bus,
                event_pattern=args.event_pattern,
                targets=[target],
                description=args.description,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_seconds=args.maximum_event_age_seconds,
                encryption_key=args.encryption_key,
            ),
            self.child(),
        )

    def _create_task_definition(self, args: StreamWorkerArgs) -> TaskDefinition:
        return create_task_definition(
            self,
            args,
            command="stream",
            variables={
                env.STREAM_ARN: self.stream.arn,
                env.LEASE_TABLE: self.lease_table.table_name,
                env.LEASE_SECONDS: str(args.lease_seconds),
                env.START_POSITION: args.start_position,
                env.STREAM_BATCH_SIZE: str(args.batch_size),
                env.MAX_ATTEMPTS: str(args.max_attempts),
                env.DEAD_LETTER_QUEUE_URL: self.on_failure_queue.url,
                **({env.STREAM_CONSUMER_ARN: self.consumer.arn} if self.consumer else {}),
            },
            grants=[
                *(self.stream.read_enhanced(self.consumer) if self.consumer else self.stream.read()),
                *self.lease_table.share(),
                *self.on_failure_queue.send(),
            ],
            table=self.table,
        )

    @property
    def max_tasks(self) -> int:
        """In force."""
        return self.args.max_tasks or max(self.args.min_tasks, self.stream.shard_count or _ON_DEMAND_TASKS)

    def _create_scaling(self, args: StreamWorkerArgs) -> StreamScaling:
        return StreamScaling(
            f"{self.name}-scaling",
            StreamScalingArgs(
                service=self.service,
                pattern=self.name,
                min_tasks=args.min_tasks,
                max_tasks=self.max_tasks,
                shard_count=self.stream.shard_count,
                acceptable_latency_seconds=args.acceptable_latency_seconds,
            ),
            self.child(),
        )

    def _create_alarms(self, args: StreamWorkerArgs) -> StreamWorkerAlarms:
        return StreamWorkerAlarms(
            f"{self.name}-alarms",
            StreamWorkerAlarmsArgs(
                pattern=self.name,
                on_failure_queue=self.on_failure_queue,
                service=self.service,
                behind_seconds=args.behind_seconds or max(300, int(5 * args.acceptable_latency_seconds)),
                stream=self.stream,
                consumer=self.consumer,
                rule=self.rule,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def _create_stream_alarms(self, args: StreamWorkerArgs) -> StreamAlarms:
        return StreamAlarms(
            f"{self.name}-stream-alarms",
            StreamAlarmsArgs(pattern=self.name, stream=self.stream, topic_arn=args.alarm_topic_arn),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        queues = [dead_letter_queue_ref(self.on_failure_queue, Holds.RECORDS, origin_arn=self.stream.arn)]
        bus = None
        rules = []
        if self.rule and self.args.bus:
            queues.append(dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS))
            bus = published(BusRef, name=self.args.bus.bus_name, arn=self.args.bus.arn)
            rules.append(published(RuleRef, name=self.rule.rule_name, bus=self.args.bus.bus_name))
        return worker_manifest(
            self,
            PATTERN,
            scaling=ScalingRef(
                policy=SCALING_POLICY,
                min=self.args.min_tasks,
                max=self.max_tasks,
                acceptable_latency_seconds=self.args.acceptable_latency_seconds,
            ),
            service=self.service,
            table=self.table,
            alarms=[self.alarms, self.stream_alarms],
            bus=bus,
            rules=rules,
            stream=published(
                StreamRef,
                name=self.stream.stream_name,
                arn=self.stream.arn,
                lease_table=self.lease_table.table_name,
                consumer_arn=self.consumer.arn if self.consumer else None,
            ),
            dead_letter_queues=queues,
        )
