"""KafkaWorker: a topic of Amazon MSK → Fargate workers that share its partitions; each group sees every record."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi

from components.compute.kafka_scaling import KafkaScaling, KafkaScalingArgs
from components.compute.service import Service
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, OneOf, Range, check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published
from components.observability.kafka_alarms import KafkaWorkerAlarms, KafkaWorkerAlarmsArgs
from components.patterns.manifests import backlog_scaling, worker_manifest
from components.patterns.worker import (
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    WorkerArgs,
    create_idempotency_table,
    create_service,
    create_task_definition,
)
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs
from components.streams.kafka import KafkaCluster, KafkaTopic, KafkaTopicArgs
from contracts import environment as env
from contracts.manifest import Holds, KafkaRef
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, DEFAULT_HEADROOM

__all__ = ["DEAD_LETTER_HOURS", "ORDERS", "PATTERN", "SCALING_POLICY", "STARTS", "KafkaWorker", "KafkaWorkerArgs"]

PATTERN = "kafka-worker"
SCALING_POLICY = "lag-per-task"
STARTS = ("earliest", "latest")
ORDERS = ("key", "partition")
DEAD_LETTER_HOURS = 14 * 24
"""As long as the on-failure queue keeps them."""


@dataclass(frozen=True, kw_only=True)
class KafkaWorkerArgs(WorkerArgs):
    """Arguments of `KafkaWorker`, beside those of `WorkerArgs`.

    Attributes:
        kafka, topic: what it consumes.
        group: default the pattern's name. A change begins anew, at `start`.
        concurrency: records (of different keys) that one task handles at a time, 1 to 100; default 1.
        start: where a new group begins, ``earliest`` (default) or ``latest``.
        order: records in order by ``key`` (default) or by ``partition``.
        batch_size: records per read, 1 to 10,000; default 500.
        max_attempts: calls of the handler with one record, 1 to 1,000; default 5.
        session_seconds: how long a killed task's partitions stay unattended, 6 to 300; default 45.
        dead_letter_topic: whether dead-lettered records go to a topic, too; default True.
        acceptable_latency_seconds, processing_seconds, headroom, min_tasks, max_tasks: see `KafkaScalingArgs`.
        encryption_key: customer-managed key of the table and the queue; default None.
        lag_seconds: wait of the oldest record that raises an alarm, from 60; default three times the acceptable
            latency, at least 300.
        lag_records: records that wait, and raise an alarm; default None, no such alarm.
    """

    kafka: KafkaCluster
    topic: KafkaTopic
    group: str | None = None
    start: str = "earliest"
    order: str = "key"
    batch_size: int = 500
    max_attempts: int = 5
    session_seconds: int = 45
    dead_letter_topic: bool = True
    acceptable_latency_seconds: float = DEFAULT_ACCEPTABLE_LATENCY_SECONDS
    processing_seconds: float = 1
    headroom: float = DEFAULT_HEADROOM
    min_tasks: int = 0
    max_tasks: int | None = None
    encryption_key: EncryptionKey | None = None
    lag_seconds: int | None = None
    lag_records: int | None = None


_RULES = (
    OneOf("start", STARTS),
    OneOf("order", ORDERS),
    Range("concurrency", 1, 100, "records"),
    Range("batch_size", 1, 10_000, "records"),
    Range("max_attempts", 1, 1_000, "attempts"),
    Range("session_seconds", 6, 300, "seconds"),
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    Range("lag_seconds", 60, 31_536_000, "seconds"),
    Check(
        ("kafka", "topic"),
        lambda args: args.kafka.topics.get(args.topic.name) is not args.topic,
        lambda args: f"the topic {args.topic.name!r} is not one of the cluster {args.kafka.name!r}",
    ),
)


class KafkaWorker(Component):
    """One consumer group.

    Attributes:
        group: its name.
        dead_letter_topic, table: None without a dead-letter topic, without idempotency.
        on_failure_queue, task_definition, service, scaling: the other parts.
        alarms: None without alarms.
    """

    def __init__(self, name: str, args: KafkaWorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"KafkaWorker {name!r}", args, _RULES)
        self.args = args
        self.group = args.group or name
        self.dead_letter_topic = self._create_dead_letter_topic(args) if args.dead_letter_topic else None
        self.on_failure_queue = DeadLetterQueue(
            f"{name}-dlq", DeadLetterQueueArgs(encryption_key=args.encryption_key), self.child()
        )
        self.on_failure_queue.refuse_redrive()
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.encryption_key)
        self.task_definition = self._create_task_definition(args)
        self.service = self._create_service(args)
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"group": self.group, "on_failure_queue_url": self.on_failure_queue.url})

    def _create_dead_letter_topic(self, args: KafkaWorkerArgs) -> KafkaTopic:
        largest = args.topic.configuration.get("max.message.bytes")
        return args.kafka.topic(
            f"{args.topic.name}.{self.name}.dead-letters",
            KafkaTopicArgs(
                partitions=1,
                retention_hours=DEAD_LETTER_HOURS,
                # The reason comes on top of what the record had.
                max_message_bytes=min(8_388_608, 65_536 + int(largest)) if largest else None,
            ),
        )

    @property
    def _topics(self) -> list[KafkaTopic]:
        return [self.args.topic, *([self.dead_letter_topic] if self.dead_letter_topic else [])]

    def _create_task_definition(self, args: KafkaWorkerArgs) -> TaskDefinition:
        return create_task_definition(
            self,
            args,
            command="kafka",
            variables=self._variables(args),
            grants=[
                *args.kafka.consume(args.topic, self.group),
                *(args.kafka.produce(self.dead_letter_topic) if self.dead_letter_topic else []),
                *args.kafka.create_topics(self._topics),
                *self.on_failure_queue.send(),
            ],
            table=self.table,
        )

    def _variables(self, args: KafkaWorkerArgs) -> dict[str, pulumi.Input[str]]:
        variables: dict[str, pulumi.Input[str]] = {
            env.KAFKA_BOOTSTRAP_SERVERS: args.kafka.bootstrap_servers,
            env.KAFKA_TOPIC: args.topic.name,
            env.KAFKA_TOPIC_ARN: args.topic.arn,
            env.KAFKA_GROUP: self.group,
            env.KAFKA_START: args.start,
            env.KAFKA_ORDER: args.order,
            env.KAFKA_BATCH_SIZE: str(args.batch_size),
            env.KAFKA_SESSION_SECONDS: str(args.session_seconds),
            env.MAX_ATTEMPTS: str(args.max_attempts),
            env.DEAD_LETTER_QUEUE_URL: self.on_failure_queue.url,
        }
        if self.dead_letter_topic:
            variables[env.KAFKA_DEAD_LETTER_TOPIC] = self.dead_letter_topic.name
        if new := [_new_topic(topic) for topic in self._topics if topic.resource is None]:
            variables[env.KAFKA_CREATE_TOPICS] = json.dumps(new, sort_keys=True)
        return variables

    def _create_service(self, args: KafkaWorkerArgs) -> Service:
        return create_service(
            self,
            args,
            self.task_definition,
            # Its first commit is what makes MSK report its lag: at zero, a new group would never wake.
            desired_count=max(1, args.min_tasks),
            depends_on=[topic.resource for topic in self._topics if topic.resource] + [args.kafka],
        )

    def _create_scaling(self, args: KafkaWorkerArgs) -> KafkaScaling:
        return KafkaScaling(
            f"{self.name}-scaling",
            KafkaScalingArgs(
                service=self.service,
                cluster=args.kafka,
                topic=args.topic,
                group=self.group,
                min_tasks=args.min_tasks,
                max_tasks=args.max_tasks,
                acceptable_latency_seconds=args.acceptable_latency_seconds,
                processing_seconds=args.processing_seconds,
                headroom=args.headroom,
            ),
            self.child(),
        )

    def _create_alarms(self, args: KafkaWorkerArgs) -> KafkaWorkerAlarms:
        return KafkaWorkerAlarms(
            f"{self.name}-alarms",
            KafkaWorkerAlarmsArgs(
                pattern=self.name,
                cluster=args.kafka,
                topic=args.topic,
                group=self.group,
                on_failure=self.on_failure_queue,
                service=self.service,
                lag_seconds=args.lag_seconds or max(300, int(3 * args.acceptable_latency_seconds)),
                lag_records=args.lag_records,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        args = self.args
        return worker_manifest(
            self,
            PATTERN,
            scaling=backlog_scaling(self.scaling.args, max_tasks=self.scaling.max_tasks, policy=SCALING_POLICY),
            service=self.service,
            table=self.table,
            alarms=[self.alarms],
            kafka=published(
                KafkaRef,
                cluster=args.kafka.cluster_name,
                cluster_arn=args.kafka.arn,
                bootstrap_servers=args.kafka.bootstrap_servers,
                topic=args.topic.name,
                topic_arn=args.topic.arn,
                partitions=args.topic.partitions,
                group=self.group,
                dead_letter_topic=self.dead_letter_topic.name if self.dead_letter_topic else None,
            ),
            dead_letter_queues=[dead_letter_queue_ref(self.on_failure_queue, Holds.RECORDS, origin_arn=args.topic.arn)],
        )


def _new_topic(topic: KafkaTopic) -> dict[str, object]:
    """What the worker creates where MSK's own API cannot."""
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "replication_factor": topic.replication_factor,
        "configuration": topic.configuration,
    }
