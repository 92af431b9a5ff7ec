"""QueueWorker: bus → rule → queue → Fargate workers that scale with it; a dead-letter queue beside every arrow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.scaling import QueueScaling, QueueScalingArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Range, check
from components.manifest import dead_letter_queue_ref, published, queue_ref, render
from components.network import Network
from components.observability.queue_worker_alarms import QueueWorkerAlarms, QueueWorkerAlarmsArgs
from components.routers.event_bus import EventBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import SqsTarget
from components.stores.idempotency_table import IdempotencyTable, IdempotencyTableArgs
from components.stores.queue import Queue, QueueArgs
from contracts import environment as env
from contracts.manifest import BusRef, Holds, PatternManifest, RuleRef, ScalingRef, ServiceRef
from contracts.scaling import ScalingPolicy

__all__ = ["PATTERN", "QueueWorker", "QueueWorkerArgs"]

PATTERN = "queue-worker"


@dataclass(frozen=True, kw_only=True)
class QueueWorkerArgs:
    """Arguments of `QueueWorker`.

    Attributes:
        network, cluster, bus: where it runs and whose events it handles.
        event_pattern: which events; default None: no rule is made, and something else (a topic) sends to the queue.
        container: the image with the worker and the handler; its environment is completed with what the worker needs.
        function: ``module:function`` of the handler; default None: the image sets HANDLER itself.
        cpu, memory_mib, architecture, log_retention_days: of the task; defaults of `TaskDefinitionArgs`.
        log_level: DEBUG, INFO, WARNING or ERROR; default INFO.
        concurrency: messages that one task handles at a time, 1 to 100; default 1.
        check_schemas: dead-letters events that do not obey the JSON Schema of their kind; default True.
        statements: what the handler may do; default nothing beyond its queue and its idempotency table.
        queue: default a standard queue with five receives.
        message_group_id: FIFO only: the group of all events; default the pattern's name.
        policy: what the number of tasks follows; default backlog per task.
        acceptable_latency_seconds: how long a message may wait; default 60.
        processing_seconds: what one task spends on one message; default 1.
        min_tasks, max_tasks: 0 to 5,000; default 0 and 10.
        spot, on_demand_base: see `ServiceArgs`.
        maximum_retry_attempts, maximum_event_age_seconds: of EventBridge's delivery; defaults of `RuleArgs`.
        idempotency_expires_hours: how long a key is remembered, 1 to 8,760; default 24; None hands every copy to the
            handler and creates no table.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        oldest_message_seconds: age of the oldest message that raises an alarm, from 60; default three times the
            acceptable latency, at least 300.
        description: of the rule.
    """

    network: Network
    cluster: Cluster
    bus: EventBus
    container: ContainerArgs
    event_pattern: Mapping[str, Any] | None = None
    function: str | None = None
    cpu: int = 256
    memory_mib: int = 512
    architecture: Architecture = Architecture.X86_64
    log_retention_days: int = 30
    log_level: str = "INFO"
    concurrency: int = 1
    check_schemas: bool = True
    statements: Sequence[Statement] = ()
    queue: QueueArgs = field(default_factory=QueueArgs)
    message_group_id: str | None = None
    policy: ScalingPolicy = ScalingPolicy.BACKLOG_PER_TASK
    acceptable_latency_seconds: float = 60
    processing_seconds: float = 1
    min_tasks: int = 0
    max_tasks: int = 10
    spot: bool = False
    on_demand_base: int = 0
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    idempotency_expires_hours: int | None = 24
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    oldest_message_seconds: int | None = None
    description: str | None = None


_RULES = (
    Range("concurrency", 1, 100, "messages"),
    Range("idempotency_expires_hours", 1, 8_760, "hours"),
    Range("oldest_message_seconds", 60, 1_209_600, "seconds"),
)


class QueueWorker(Component):
    """One worker of the stack.

    Attributes:
        queue, rule, table, task_definition, service, scaling, alarms: the parts; rule, table and alarms may be None.
    """

    def __init__(self, name: str, args: QueueWorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        self._validate(args)
        self.args = args
        self.queue = Queue(name, args.queue, self.child())
        self.rule = self._create_rule(args, args.event_pattern) if args.event_pattern is not None else None
        self.table = self._create_table(args)
        self.task_definition = self._create_task_definition(args)
        self.service = self._create_service(args)
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"queue_url": self.queue.url, "dead_letter_queue_url": self.queue.dead_letter_queue.url})

    def _validate(self, args: QueueWorkerArgs) -> None:
        where = f"QueueWorker {self.name!r}"
        check(where, args, _RULES)
        owned = {getattr(env, constant) for constant in env.__all__}
        if taken := owned & args.container.environment.keys():
            names = ", ".join(sorted(taken))
            raise InvalidArgsError(where, [f"container.environment sets {names}, which the pattern owns; remove it"])

    def _create_rule(self, args: QueueWorkerArgs, event_pattern: Mapping[str, Any]) -> Rule:
        group = (args.message_group_id or self.name) if args.queue.fifo else args.message_group_id
        return Rule(
            self.name,
            RuleArgs(
                bus=args.bus,
                event_pattern=event_pattern,
                targets=[SqsTarget(queue=self.queue, message_group_id=group)],
                description=args.description,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_seconds=args.maximum_event_age_seconds,
                encryption_key=args.queue.encryption_key,
            ),
            self.child(),
        )

    def _create_table(self, args: QueueWorkerArgs) -> IdempotencyTable | None:
        if args.idempotency_expires_hours is None:
            return None
        return IdempotencyTable(
            f"{self.name}-idempotency", IdempotencyTableArgs(encryption_key=args.queue.encryption_key), self.child()
        )

    def _create_task_definition(self, args: QueueWorkerArgs) -> TaskDefinition:
        container = dataclasses.replace(
            args.container, environment={**args.container.environment, **self._environment(args)}
        )
        grants = [
            *self.queue.consume(),
            *self.queue.dead_letter_queue.send(),
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

    def _environment(self, args: QueueWorkerArgs) -> dict[str, pulumi.Input[str]]:
        variables: dict[str, pulumi.Input[str]] = {
            env.STACK: pulumi.get_stack(),
            env.PATTERN: self.name,
            env.LOG_LEVEL: args.log_level,
            env.STOP_TIMEOUT_SECONDS: str(args.container.stop_timeout_seconds),
            env.QUEUE_URL: self.queue.url,
            env.DEAD_LETTER_QUEUE_URL: self.queue.dead_letter_queue.url,
            env.MAX_RECEIVE_COUNT: str(self.queue.max_receive_count),
            env.VISIBILITY_TIMEOUT_SECONDS: str(self.queue.visibility_timeout_seconds),
            env.CONCURRENCY: str(args.concurrency),
            env.CHECK_SCHEMAS: "true" if args.check_schemas else "false",
        }
        if args.function:
            variables[env.HANDLER] = args.function
        if self.table and args.idempotency_expires_hours:
            variables[env.IDEMPOTENCY_TABLE] = self.table.table_name
            variables[env.IDEMPOTENCY_EXPIRES_SECONDS] = str(args.idempotency_expires_hours * 3600)
        return variables

    def _create_service(self, args: QueueWorkerArgs) -> Service:
        return Service(
            self.name,
            ServiceArgs(
                cluster=args.cluster,
                task_definition=self.task_definition,
                network=args.network,
                desired_count=args.min_tasks,
                spot=args.spot,
                on_demand_base=args.on_demand_base,
            ),
            self.child(),
        )

    def _create_scaling(self, args: QueueWorkerArgs) -> QueueScaling:
        return QueueScaling(
            f"{self.name}-scaling",
            QueueScalingArgs(
                service=self.service,
                queue=self.queue,
                policy=args.policy,
                min_tasks=args.min_tasks,
                max_tasks=args.max_tasks,
                acceptable_latency_seconds=args.acceptable_latency_seconds,
                processing_seconds=args.processing_seconds,
            ),
            self.child(),
        )

    def _create_alarms(self, args: QueueWorkerArgs) -> QueueWorkerAlarms:
        return QueueWorkerAlarms(
            f"{self.name}-alarms",
            QueueWorkerAlarmsArgs(
                pattern=self.name,
                queue=self.queue,
                rule=self.rule,
                service=self.service,
                oldest_message_seconds=args.oldest_message_seconds
                or max(300, int(3 * args.acceptable_latency_seconds)),
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def _rules(self) -> Sequence[aws.cloudwatch.EventRule]:
        return self.rule.rules if self.rule else ()

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        return render(
            PatternManifest(
                name=self.name,
                pattern=PATTERN,
                stack=pulumi.get_stack(),
                region="",
                scaling=ScalingRef(
                    policy=self.args.policy,
                    min=self.args.min_tasks,
                    max=self.args.max_tasks,
                    acceptable_latency_seconds=self.args.acceptable_latency_seconds,
                    processing_seconds=self.args.processing_seconds,
                ),
            ),
            region=aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region,
            bus=published(BusRef, name=self.args.bus.bus_name, arn=self.args.bus.arn),
            rules=[published(RuleRef, name=rule.name, bus=self.args.bus.bus_name) for rule in self._rules()],
            queue=queue_ref(self.queue),
            dead_letter_queues=[
                dead_letter_queue_ref(self.queue.dead_letter_queue, Holds.MESSAGES, origin_arn=self.queue.arn),
                *([dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS)] if self.rule else []),
            ],
            service=published(
                ServiceRef,
                cluster=self.service.cluster_name,
                name=self.service.service_name,
                log_group=self.task_definition.log_group_name,
            ),
            idempotency_table=self.table.table_name if self.table else None,
            alarms=self.alarms.alarm_names if self.alarms else [],
        )
