"""BrokerWorker: queue on RabbitMQ or ActiveMQ → Fargate workers that scale with it; dead letters beside it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pulumi

from components.compute.broker_scaling import BrokerScaling, BrokerScalingArgs
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey
from components.manifest import published
from components.observability.broker_alarms import (
    BrokerAlarms,
    BrokerAlarmsArgs,
    BrokerWorkerAlarms,
    BrokerWorkerAlarmsArgs,
)
from components.patterns.manifests import backlog_scaling, worker_manifest
from components.patterns.worker import (
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    WorkerArgs,
    create_idempotency_table,
    create_service,
    create_task_definition,
)
from components.stores.broker import Broker, BrokerArgs
from contracts import environment as env
from contracts.manifest import BrokerRef
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, DEFAULT_HEADROOM, backlog_per_task_target

__all__ = ["PATTERN", "BrokerWorker", "BrokerWorkerArgs"]

PATTERN = "broker-worker"
_LATE = 3
"""Times the acceptable latency, after which somebody is called."""


@dataclass(frozen=True, kw_only=True)
class BrokerWorkerArgs(WorkerArgs):
    """Arguments of `BrokerWorker`, beside those of `WorkerArgs`.

    Attributes:
        broker: an existing `Broker`, shared with others, or the arguments of one of its own.
        queue: its name on the broker; default the pattern's. The worker makes it, and ``<queue>.dlq``.
        ordered: one message after the other, in one task at a time; default False.
        max_receive_count: attempts before a message is dead-lettered, 1 to 1,000; default 5.
        prefetch: messages that the broker hands to a task in advance, 1 to 2,000; default twice the concurrency.
        lease_seconds: how long the events of a killed task wait for another, 2 to 3,600; default 30.
        concurrency: messages that one task handles at a time, 1 to 100; default 1, the only one with `ordered`.
        acceptable_latency_seconds, processing_seconds, headroom: see `BrokerScalingArgs`; default 900, 1 and 0.
        min_tasks, max_tasks: 0 to 5,000; default 1 and 10. One task starts at the first deploy in any case: it makes
            the queue.
        encryption_key: customer-managed key of the table; default None.
        waiting_messages: messages in the queue that raise an alarm; default what `max_tasks` tasks handle in three
            times the acceptable latency.
    """

    broker: Broker | BrokerArgs
    queue: str | None = None
    ordered: bool = False
    max_receive_count: int = 5
    prefetch: int | None = None
    lease_seconds: int = 30
    acceptable_latency_seconds: float = DEFAULT_ACCEPTABLE_LATENCY_SECONDS
    processing_seconds: float = 1
    headroom: float = DEFAULT_HEADROOM
    min_tasks: int = 1
    max_tasks: int = 10
    encryption_key: EncryptionKey | None = None
    waiting_messages: int | None = None


_RULES = (
    Range("max_receive_count", 1, 1_000, "attempts"),
    Range("prefetch", 1, 2_000, "messages"),
    Range("lease_seconds", 2, 3_600, "seconds"),
    Range("concurrency", 1, 100, "messages"),
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
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
        check(f"BrokerWorker {name!r}", args, _RULES)
        self.args = args
        self.owns_broker = isinstance(args.broker, BrokerArgs)
        self.broker = (
            Broker(f"{name}-broker", args.broker, self.child()) if isinstance(args.broker, BrokerArgs) else args.broker
        )
        self.queue = args.queue or name
        self.dead_letter_queue = f"{self.queue}.dlq"
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.encryption_key)
        self.task_definition = self._create_task_definition(args)
        # Producers cannot send to a queue that no worker has made yet: at least one.
        self.service = create_service(self, args, self.task_definition, desired_count=max(1, args.min_tasks))
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.broker_alarms = self._create_broker_alarms(args) if args.alarms and self.owns_broker else None
        self.publish({"broker_urls": self.broker.urls, "queue": self.queue})

    def _create_task_definition(self, args: BrokerWorkerArgs) -> TaskDefinition:
        credentials, key = self.broker.secrets(), self.broker.encryption_key
        return create_task_definition(
            self,
            args,
            command="broker",
            variables={
                env.MAX_RECEIVE_COUNT: str(args.max_receive_count),
                env.BROKER_URLS: self.broker.urls,
                env.BROKER_QUEUE: self.queue,
                env.BROKER_DEAD_LETTER_QUEUE: self.dead_letter_queue,
                env.BROKER_ORDERED: "true" if args.ordered else "false",
                env.BROKER_LEASE_SECONDS: str(args.lease_seconds),
                **({env.BROKER_PREFETCH: str(args.prefetch)} if args.prefetch is not None else {}),
            },
            container=dataclasses.replace(
                args.container,
                secrets={
                    **args.container.secrets,
                    env.BROKER_USERNAME: credentials["username"],
                    env.BROKER_PASSWORD: credentials["password"],
                },
                secret_key_arns=[*args.container.secret_key_arns, *([key.arn] if key else [])],
            ),
            table=self.table,
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
                headroom=args.headroom,
            ),
            self.child(),
        )

    def _create_alarms(self, args: BrokerWorkerArgs) -> BrokerWorkerAlarms:
        # Without the headroom of the target: what is late is measured by what is promised.
        in_time = args.max_tasks * backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
        return BrokerWorkerAlarms(
            f"{self.name}-alarms",
            BrokerWorkerAlarmsArgs(
                pattern=self.name,
                broker=self.broker,
                queue=self.queue,
                dead_letter_queue=self.dead_letter_queue,
                waiting_messages=args.waiting_messages or _LATE * in_time,
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
        return worker_manifest(
            self,
            PATTERN,
            scaling=backlog_scaling(self.scaling.args, max_tasks=self.args.max_tasks),
            service=self.service,
            table=self.table,
            alarms=[self.alarms, self.broker_alarms],
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
        )
