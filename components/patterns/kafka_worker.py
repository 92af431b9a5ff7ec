"""KafkaWorker: a topic of Amazon MSK → Fargate workers that share its partitions; each group sees every record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.kafka_scaling import KafkaScaling, KafkaScalingArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, OneOf, Range, check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published, render
from components.network import Network
from components.observability.kafka_alarms import KafkaWorkerAlarms, KafkaWorkerAlarmsArgs
from components.stores.idempotency_table import IdempotencyTable, IdempotencyTableArgs
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs
from components.streams.kafka import KafkaCluster, KafkaTopic, KafkaTopicArgs
from contracts import environment as env
from contracts.manifest import Holds, KafkaRef, PatternManifest, ScalingRef, ServiceRef

__all__ = ["DEAD_LETTER_HOURS", "ORDERS", "PATTERN", "SCALING_POLICY", "STARTS", "KafkaWorker", "KafkaWorkerArgs"]

PATTERN = "kafka-worker"
SCALING_POLICY = "lag-per-task"
STARTS = ("earliest", "latest")
ORDERS = ("key", "partition")
DEAD_LETTER_HOURS = 14 * 24
"""As long as the on-failure queue keeps them."""


@dataclass(frozen=True, kw_only=True)
class KafkaWorkerArgs:
    """Arguments of `KafkaWorker`.

    Attributes:
        network, cluster: where it runs; the brokers must be in the same network.
        container: the image with the worker and the handler; its environment is completed with what the worker needs,
            and its command is ``kafka`` unless it has one.
        kafka, topic: what it consumes.
        group: default the pattern's name. A change begins anew, at `start`.
        function: ``module:function`` of the handler; default None: the image sets HANDLER itself.
        cpu, memory_mib, architecture, log_retention_days: of the task; defaults of `TaskDefinitionArgs`.
        log_level: DEBUG, INFO, WARNING or ERROR; default INFO.
        check_schemas: dead-letter events that do not obey the schema of their kind; default True.
        concurrency: records (of different keys) that one task handles at a time, 1 to 100; default 1.
        statements: what the handler may do; default nothing beyond its topic, its table and its queue.
        start: where a new group begins, ``earliest`` (default) or ``latest``.
        order: records in order by ``key`` (default) or by ``partition``.
        batch_size: records per read, 1 to 10,000; default 500.
        max_attempts: calls of the handler with one record, 1 to 1,000; default 5.
        session_seconds: how long a killed task's partitions stay unattended, 6 to 300; default 45.
        dead_letter_topic: whether dead-lettered records go to a topic, too; default True.
        acceptable_latency_seconds, processing_seconds, min_tasks, max_tasks: see `KafkaScalingArgs`.
        spot, on_demand_base: see `ServiceArgs`.
        idempotency_expires_hours: how long a key is remembered, 1 to 8,760; default 24; None hands every copy to the
            handler and creates no table.
        encryption_key: customer-managed key of the table and the queue; default None.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        lag_seconds: wait of the oldest record that raises an alarm, from 60; default five times the acceptable latency,
            at least 300.
        lag_records: records that wait, and raise an alarm; default None, no such alarm.
    """

    network: Network
    cluster: Cluster
    container: ContainerArgs
    kafka: KafkaCluster
    topic: KafkaTopic
    group: str | None = None
    function: str | None = None
    cpu: int = 256
    memory_mib: int = 512
    architecture: Architecture = Architecture.X86_64
    log_retention_days: int = 30
    log_level: str = "INFO"
    check_schemas: bool = True
    concurrency: int = 1
    statements: Sequence[Statement] = ()
    start: str = "earliest"
    order: str = "key"
    batch_size: int = 500
    max_attempts: int = 5
    session_seconds: int = 45
    dead_letter_topic: bool = True
    acceptable_latency_seconds: float = 60
    processing_seconds: float = 1
    min_tasks: int = 0
    max_tasks: int | None = None
    spot: bool = False
    on_demand_base: int = 0
    idempotency_expires_hours: int | None = 24
    encryption_key: EncryptionKey | None = None
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    lag_seconds: int | None = None
    lag_records: int | None = None


_RULES = (
    OneOf("start", STARTS),
    OneOf("order", ORDERS),
    Range("concurrency", 1, 100, "records"),
    Range("batch_size", 1, 10_000, "records"),
    Range("max_attempts", 1, 1_000, "attempts"),
    Range("session_seconds", 6, 300, "seconds"),
    Range("idempotency_expires_hours", 1, 8_760, "hours"),
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
        self._validate(args)
        self.args = args
        self.group = args.group or name
        self.dead_letter_topic = self._create_dead_letter_topic(args) if args.dead_letter_topic else None
        self.on_failure_queue = DeadLetterQueue(
            f"{name}-dlq", DeadLetterQueueArgs(encryption_key=args.encryption_key), self.child()
        )
        self.on_failure_queue.refuse_redrive()
        self.table = self._create_table(args)
        self.task_definition = self._create_task_definition(args)
        self.service = self._create_service(args)
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"group": self.group, "on_failure_queue_url": self.on_failure_queue.url})

    def _validate(self, args: KafkaWorkerArgs) -> None:
        where = f"KafkaWorker {self.name!r}"
        check(where, args, _RULES)
        owned = {getattr(env, constant) for constant in env.__all__}
        if taken := owned & args.container.environment.keys():
            names = ", ".join(sorted(taken))
            raise InvalidArgsError(where, [f"container.environment sets {names}, which the pattern owns; remove it"])

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

    def _create_table(self, args: KafkaWorkerArgs) -> IdempotencyTable | None:
        if args.idempotency_expires_hours is None:
            return None
        return IdempotencyTable(
            f"{self.name}-idempotency", IdempotencyTableArgs(encryption_key=args.encryption_key), self.child()
        )

    @property
    def _topics(self) -> list[KafkaTopic]:
        return [self.args.topic, *([self.dead_letter_topic] if self.dead_letter_topic else [])]

    def _create_task_definition(self, args: KafkaWorkerArgs) -> TaskDefinition:
        container = dataclasses.replace(
            args.container,
            command=args.container.command or ["kafka"],
            environment={**args.container.environment, **self._environment(args)},
        )
        grants = [
            *args.kafka.consume(args.topic, self.group),
            *(args.kafka.produce(self.dead_letter_topic) if self.dead_letter_topic else []),
            *args.kafka.create_topics(self._topics),
            *self.on_failure_queue.send(),
            *(self.table.remember() if self.table else []),
            *args.statements,
        ]
        return TaskDefinition(
            self.name,
            TaskDefinitionArgs(
                container=container,
                cpu=args.cpu,
                memory_mib=args.memory_mib,
                architecture=args.architecture,
                log_retention_days=args.log_retention_days,
                statements=grants,
            ),
            self.child(),
        )

    def _environment(self, args: KafkaWorkerArgs) -> dict[str, pulumi.Input[str]]:
        variables: dict[str, pulumi.Input[str]] = {
            env.STACK: pulumi.get_stack(),
            env.PATTERN: self.name,
            env.LOG_LEVEL: args.log_level,
            env.CHECK_SCHEMAS: "true" if args.check_schemas else "false",
            env.STOP_TIMEOUT_SECONDS: str(args.container.stop_timeout_seconds),
            env.CONCURRENCY: str(args.concurrency),
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
        if args.function:
            variables[env.HANDLER] = args.function
        if self.table and args.idempotency_expires_hours:
            variables[env.IDEMPOTENCY_TABLE] = self.table.table_name
            variables[env.IDEMPOTENCY_EXPIRES_SECONDS] = str(args.idempotency_expires_hours * 3600)
        return variables

    def _create_service(self, args: KafkaWorkerArgs) -> Service:
        return Service(
            self.name,
            ServiceArgs(
                cluster=args.cluster,
                task_definition=self.task_definition,
                network=args.network,
                # Its first commit is what makes MSK report its lag: at zero, a new group would never wake.
                desired_count=max(1, args.min_tasks),
                spot=args.spot,
                on_demand_base=args.on_demand_base,
            ),
            self.child(depends_on=[topic.resource for topic in self._topics if topic.resource] + [args.kafka]),
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
                lag_seconds=args.lag_seconds or max(300, int(5 * args.acceptable_latency_seconds)),
                lag_records=args.lag_records,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        args = self.args
        return render(
            PatternManifest(
                name=self.name,
                pattern=PATTERN,
                stack=pulumi.get_stack(),
                region="",
                scaling=ScalingRef(
                    policy=SCALING_POLICY,
                    min=args.min_tasks,
                    max=self.scaling.max_tasks,
                    acceptable_latency_seconds=args.acceptable_latency_seconds,
                    processing_seconds=args.processing_seconds,
                ),
            ),
            region=aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region,
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
            service=published(
                ServiceRef,
                cluster=self.service.cluster_name,
                name=self.service.service_name,
                log_group=self.task_definition.log_group_name,
            ),
            idempotency_table=self.table.table_name if self.table else None,
            alarms=self.alarms.alarm_names if self.alarms else [],
        )


def _new_topic(topic: KafkaTopic) -> dict[str, object]:
    """What the worker creates where MSK's own API cannot."""
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "replication_factor": topic.replication_factor,
        "configuration": topic.configuration,
    }
