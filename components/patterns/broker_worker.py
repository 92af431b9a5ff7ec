"""BrokerWorker: queue on RabbitMQ or ActiveMQ → Fargate workers that scale with it; dead letters beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.broker_scaling import BrokerScaling, BrokerScalingArgs
from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey
from components.manifest import published, render
from components.network import Network
from components.observability.broker_alarms import (
    BrokerAlarms,
    BrokerAlarmsArgs,
    BrokerWorkerAlarms,
    BrokerWorkerAlarmsArgs,
)
from components.stores.broker import Broker, BrokerArgs
from components.stores.idempotency_table import IdempotencyTable, IdempotencyTableArgs
from contracts import environment as env
from contracts.manifest import BrokerRef, PatternManifest, ScalingRef, ServiceRef
from contracts.scaling import ScalingPolicy

__all__ = ["PATTERN", "BrokerWorker", "BrokerWorkerArgs"]

PATTERN = "broker-worker"
_LATE = 3
"""Times the acceptable latency, after which somebody is called."""


@dataclass(frozen=True, kw_only=True)
class BrokerWorkerArgs:
    """Arguments of `BrokerWorker`.

    Attributes:
        network, cluster: where it runs.
        container: the image with the worker and the handler; its environment is completed with what the worker needs,
            and its command is ``broker`` unless it has one.
        broker: an existing `Broker`, shared with others, or the arguments of one of its own.
        queue: its name on the broker; default the pattern's. The worker makes it, and ``<queue>.dlq``.
        ordered: one message after the other, in one task at a time; default False.
        max_receive_count: attempts before a message is dead-lettered, 1 to 1,000; default 5.
        prefetch: messages that the broker hands to a task in advance, 1 to 2,000; default twice the concurrency.
        lease_seconds: how long the events of a killed task wait for another, 2 to 3,600; default 30.
        function: ``module:function`` of the handler; default None: the image sets HANDLER itself.
        cpu, memory_mib, architecture, log_retention_days: of the task; defaults of `TaskDefinitionArgs`.
        log_level: DEBUG, INFO, WARNING or ERROR; default INFO.
        check_schemas: dead-letter events that do not obey the schema of their kind; default True.
        concurrency: messages that one task handles at a time, 1 to 100; default 1, the only one with `ordered`.
        statements: what the handler may do; default nothing beyond its idempotency table.
        acceptable_latency_seconds, processing_seconds: see `BrokerScalingArgs`; default 60 and 1.
        min_tasks, max_tasks: 0 to 5,000; default 1 and 10. One task starts at the first deploy in any case: it makes
            the queue.
        spot, on_demand_base: see `ServiceArgs`.
        idempotency_expires_hours: how long a key is remembered, 1 to 8,760; default 24; None hands every copy to the
            handler and creates no table.
        encryption_key: customer-managed key of the table; default None.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        waiting_messages: messages in the queue that raise an alarm; default what `max_tasks` tasks handle in three
            times the acceptable latency.
    """

    network: Network
    cluster: Cluster
    container: ContainerArgs
    broker: Broker | BrokerArgs
    queue: str | None = None
    ordered: bool = False
    max_receive_count: int = 5
    prefetch: int | None = None
    lease_seconds: int = 30
    function: str | None = None
    cpu: int = 256
    memory_mib: int = 512
    architecture: Architecture = Architecture.X86_64
    log_retention_days: int = 30
    log_level: str = "INFO"
    check_schemas: bool = True
    concurrency: int = 1
    statements: Sequence[Statement] = ()
    acceptable_latency_seconds: float = 60
    processing_seconds: float = 1
    min_tasks: int = 1
    max_tasks: int = 10
    spot: bool = False
    on_demand_base: int = 0
    idempotency_expires_hours: int | None = 24
    encryption_key: EncryptionKey | None = None
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    waiting_messages: int | None = None


_RULES = (
    Range("max_receive_count", 1, 1_000, "attempts"),
    Range("prefetch", 1, 2_000, "messages"),
    Range("lease_seconds", 2, 3_600, "seconds"),
    Range("concurrency", 1, 100, "messages"),
    Range("idempotency_expires_hours", 1, 8_760, "hours"),
    Range("waiting_messages", 1, 10_000_000, "messages"),
    Check(
        ("ordered", "concurrency"),
        lambda args: args.ordered and args.concurrency > 1,
        lambda args: (
            f"ordered with concurrency {args.concurrency}: two messages at a time have no order; set concurrency to 1"
        ),
    ),
)


class BrokerWorker(Component):
    """One worker of a broker's queue.

    Attributes:
        broker: its own or the shared one; `owns_broker` tells.
        queue, dead_letter_queue: names on the broker.
        table, task_definition, service, scaling: the other parts; `table` may be None.
        alarms, broker_alarms: None without alarms; the second also when the broker is not its own.
    """

    def __init__(self, name: str, args: BrokerWorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        self._validate(args)
        self.args = args
        self.owns_broker = isinstance(args.broker, BrokerArgs)
        self.broker = (
            Broker(f"{name}-broker", args.broker, self.child()) if isinstance(args.broker, BrokerArgs) else args.broker
        )
        self.queue = args.queue or name
        self.dead_letter_queue = f"{self.queue}.dlq"
        self.table = self._create_table(args)
        self.task_definition = self._create_task_definition(args)
        self.service = self._create_service(args)
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.broker_alarms = self._create_broker_alarms(args) if args.alarms and self.owns_broker else None
        self.publish({"broker_urls": self.broker.urls, "queue": self.queue})

    def _validate(self, args: BrokerWorkerArgs) -> None:
        where = f"BrokerWorker {self.name!r}"
        check(where, args, _RULES)
        owned = {getattr(env, constant) for constant in env.__all__}
        if taken := owned & {*args.container.environment, *args.container.secrets}:
            names = ", ".join(sorted(taken))
            raise InvalidArgsError(where, [f"container sets {names}, which the pattern owns; remove it"])

    def _create_table(self, args: BrokerWorkerArgs) -> IdempotencyTable | None:
        if args.idempotency_expires_hours is None:
            return None
        return IdempotencyTable(
            f"{self.name}-idempotency", IdempotencyTableArgs(encryption_key=args.encryption_key), self.child()
        )

    def _create_task_definition(self, args: BrokerWorkerArgs) -> TaskDefinition:
        credentials = self.broker.secrets()
        key = self.broker.encryption_key
        container = dataclasses.replace(
            args.container,
            command=args.container.command or ["broker"],
            environment={**args.container.environment, **self._environment(args)},
            secrets={
                **args.container.secrets,
                env.BROKER_USERNAME: credentials["username"],
                env.BROKER_PASSWORD: credentials["password"],
            },
            secret_key_arns=[*args.container.secret_key_arns, *([key.arn] if key else [])],
        )
        return TaskDefinition(
            self.name,
            TaskDefinitionArgs(
                container=container,
                cpu=args.cpu,
                memory_mib=args.memory_mib,
                architecture=args.architecture,
                log_retention_days=args.log_retention_days,
                statements=[*(self.table.remember() if self.table else []), *args.statements],
            ),
            self.child(),
        )

    def _environment(self, args: BrokerWorkerArgs) -> dict[str, pulumi.Input[str]]:
        variables: dict[str, pulumi.Input[str]] = {
            env.STACK: pulumi.get_stack(),
            env.PATTERN: self.name,
            env.LOG_LEVEL: args.log_level,
            env.CHECK_SCHEMAS: "true" if args.check_schemas else "false",
            env.STOP_TIMEOUT_SECONDS: str(args.container.stop_timeout_seconds),
            env.CONCURRENCY: str(args.concurrency),
            env.MAX_RECEIVE_COUNT: str(args.max_receive_count),
            env.BROKER_URLS: self.broker.urls,
            env.BROKER_QUEUE: self.queue,
            env.BROKER_DEAD_LETTER_QUEUE: self.dead_letter_queue,
            env.BROKER_ORDERED: "true" if args.ordered else "false",
            env.BROKER_LEASE_SECONDS: str(args.lease_seconds),
        }
        if args.prefetch is not None:
            variables[env.BROKER_PREFETCH] = str(args.prefetch)
        if args.function:
            variables[env.HANDLER] = args.function
        if self.table and args.idempotency_expires_hours:
            variables[env.IDEMPOTENCY_TABLE] = self.table.table_name
            variables[env.IDEMPOTENCY_EXPIRES_SECONDS] = str(args.idempotency_expires_hours * 3600)
        return variables

    def _create_service(self, args: BrokerWorkerArgs) -> Service:
        return Service(
            self.name,
            ServiceArgs(
                cluster=args.cluster,
                task_definition=self.task_definition,
                network=args.network,
                # Producers cannot send to a queue that no worker has made yet.
                desired_count=max(1, args.min_tasks),
                spot=args.spot,
                on_demand_base=args.on_demand_base,
            ),
            self.child(),
        )

    def _create_scaling(self, args: BrokerWorkerArgs) -> BrokerScaling:
        return BrokerScaling(
            f"{self.name}-scaling",
            BrokerScalingArgs(
                service=self.service,
                broker=self.broker,
                queue=self.queue,
                min_tasks=args.min_tasks,
                max_tasks=args.max_tasks,
                acceptable_latency_seconds=args.acceptable_latency_seconds,
                processing_seconds=args.processing_seconds,
            ),
            self.child(),
        )

    def _create_alarms(self, args: BrokerWorkerArgs) -> BrokerWorkerAlarms:
        return BrokerWorkerAlarms(
            f"{self.name}-alarms",
            BrokerWorkerAlarmsArgs(
                pattern=self.name,
                broker=self.broker,
                queue=self.queue,
                dead_letter_queue=self.dead_letter_queue,
                waiting_messages=args.waiting_messages or _LATE * self.scaling.backlog_per_task * args.max_tasks,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def _create_broker_alarms(self, args: BrokerWorkerArgs) -> BrokerAlarms:
        return BrokerAlarms(
            f"{self.name}-broker-alarms",
            BrokerAlarmsArgs(broker=self.broker, pattern=self.name, topic_arn=args.alarm_topic_arn),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        alarms = [
            *(self.alarms.alarm_names if self.alarms else []),
            *(self.broker_alarms.alarm_names if self.broker_alarms else []),
        ]
        return render(
            PatternManifest(
                name=self.name,
                pattern=PATTERN,
                stack=pulumi.get_stack(),
                region="",
                scaling=ScalingRef(
                    policy=ScalingPolicy.BACKLOG_PER_TASK,
                    min=self.args.min_tasks,
                    max=self.args.max_tasks,
                    acceptable_latency_seconds=self.args.acceptable_latency_seconds,
                    processing_seconds=self.args.processing_seconds,
                ),
            ),
            region=aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region,
            broker=published(
                BrokerRef,
                name=self.broker.broker_name,
                arn=self.broker.arn,
                engine=self.broker.engine.value,
                urls=self.broker.urls.apply(lambda urls: tuple(urls.split(","))),
                secret_arn=self.broker.secret_arn,
                queue=self.queue,
                dead_letter_queue=self.dead_letter_queue,
            ),
            service=published(
                ServiceRef,
                cluster=self.service.cluster_name,
                name=self.service.service_name,
                log_group=self.task_definition.log_group_name,
            ),
            idempotency_table=self.table.table_name if self.table else None,
            alarms=alarms,
        )
