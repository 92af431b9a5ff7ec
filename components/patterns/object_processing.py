"""ObjectProcessing: S3 → default bus → rule → Fargate task; `buffered` puts a queue and a dispatcher in between."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pulumi
import pulumi_aws as aws

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.dispatcher import Dispatcher, DispatcherArgs
from components.compute.task import Task, TaskArgs
from components.compute.task_definition import Architecture, TaskDefinitionArgs
from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Check, OneOf, Range, check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published, queue_ref, render
from components.network import Network
from components.observability.object_processing_alarms import ObjectProcessingAlarms, ObjectProcessingAlarmsArgs
from components.routers.event_sources import DefaultBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import EcsTaskTarget, SqsTarget
from components.stores.bucket import Bucket, BucketArgs
from components.stores.idempotency_table import IdempotencyTable, IdempotencyTableArgs
from components.stores.queue import QueueArgs
from contracts import environment as env
from contracts.manifest import BucketRef, BusRef, Holds, PatternManifest, RuleRef, ScalingRef, ServiceRef, TaskRef
from contracts.scaling import ScalingPolicy
from contracts.task_events import event_variables

__all__ = ["PATTERN", "Burst", "ObjectProcessing", "ObjectProcessingArgs"]

PATTERN = "object-processing"

EVENT_FIELDS = {
    "EVENT_ID": "$.id",
    "EVENT_SOURCE": "$.source",
    "EVENT_TYPE": "$.detail-type",
    "EVENT_TIME": "$.time",
    "EVENT_ACCOUNT": "$.account",
    "EVENT_REGION": "$.region",
    "EVENT_BUCKET": "$.detail.bucket.name",
    "EVENT_KEY": "$.detail.object.key",
    "EVENT_VERSION_ID": "$.detail.object.version-id",
    "EVENT_ETAG": "$.detail.object.etag",
    "EVENT_SEQUENCER": "$.detail.object.sequencer",
    "EVENT_REASON": "$.detail.reason",
}
"""What a directly started task sees of the event (S3 user guide, "EventBridge event message structure")."""


class Burst(StrEnum):
    """What happens when more objects come than tasks can be started."""

    DIRECT = "direct"
    """EventBridge runs the tasks and retries for a day; what it gives up is in the dead-letter queue. A task that
    starts and fails is not run again."""
    BUFFERED = "buffered"
    """The events wait in a queue; a dispatcher runs the tasks at a bounded rate and runs again what failed."""


@dataclass(frozen=True, kw_only=True)
class ObjectProcessingArgs:
    """Arguments of `ObjectProcessing`.

    Attributes:
        network, cluster: where the tasks run.
        container: the image with the worker and the handler; its environment is completed with what the worker needs.
        function: ``module:function`` of the handler; default None: the image sets HANDLER itself.
        bucket_name: an existing bucket whose EventBridge notifications are on; default None: one is made.
        prefix, suffix: of the keys; default all.
        burst: default buffered.
        max_running_tasks, launches_per_second: buffered: see `DispatcherArgs`; default 20 and 5.
        processing_seconds: what one task takes, its start included, 1 to 43,200; default 120.
        max_receive_count: buffered: how often a task is run before its event is dead-lettered, 1 to 1,000; default 5.
        cpu, memory_mib, architecture, log_retention_days: of the task; defaults of `TaskDefinitionArgs`.
        log_level: DEBUG, INFO, WARNING or ERROR; default INFO.
        spot: run the tasks on Fargate Spot; buffered only, which runs a reclaimed task again. Default False.
        statements: what the handler may do beyond reading the bucket.
        idempotency_expires_hours: how long an object's version is remembered, 1 to 8,760; default 24; None: every
            copy of an event is handled.
        maximum_retry_attempts, maximum_event_age_seconds: of EventBridge's delivery; defaults of `RuleArgs`.
        encryption_key: of the queues and the table; default None.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        oldest_message_seconds: buffered: age of the oldest waiting event that raises an alarm; default 3,600.
        description: of the rule.
    """

    network: Network
    cluster: Cluster
    container: ContainerArgs
    function: str | None = None
    bucket_name: str | None = None
    prefix: str = ""
    suffix: str = ""
    burst: Burst = Burst.BUFFERED
    max_running_tasks: int = 20
    launches_per_second: float = 5
    processing_seconds: float = 120
    max_receive_count: int = 5
    cpu: int = 256
    memory_mib: int = 512
    architecture: Architecture = Architecture.X86_64
    log_retention_days: int = 30
    log_level: str = "INFO"
    spot: bool = False
    statements: Sequence[Statement] = ()
    idempotency_expires_hours: int | None = 24
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    encryption_key: EncryptionKey | None = None
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    oldest_message_seconds: int = 3_600
    description: str | None = None


_OWNED: frozenset[str] = frozenset(getattr(env, constant) for constant in env.__all__) | EVENT_FIELDS.keys()


def _overwritten(args: Any) -> list[str]:
    return sorted(args.container.environment.keys() & _OWNED)


_RULES = (
    OneOf("burst", tuple(item.value for item in Burst)),
    Range("processing_seconds", 1, 43_200, "seconds", whole=False),
    Range("idempotency_expires_hours", 1, 8_760, "hours"),
    Range("oldest_message_seconds", 60, 1_209_600, "seconds"),
    Check(
        ("burst", "spot"),
        lambda args: args.spot and args.burst == Burst.DIRECT,
        "spot with burst direct: nobody runs a reclaimed task again; use burst buffered, or leave spot off",
    ),
    Check(
        ("container",),
        lambda args: bool(_overwritten(args)),
        lambda args: f"container.environment sets {', '.join(_overwritten(args))}, which the pattern owns; remove it",
    ),
)


class ObjectProcessing(Component):
    """A task for every new object.

    Attributes:
        bucket: None when it was given by name.
        bucket_name: of the bucket.
        task, table, rule, dispatcher, alarms: the parts; table, dispatcher and alarms may be None.
    """

    def __init__(self, name: str, args: ObjectProcessingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"ObjectProcessing {name!r}", args, _RULES)
        if args.bucket_name == "":
            raise InvalidArgsError(f"ObjectProcessing {name!r}", ["bucket_name is empty; leave it unset to make one"])
        self.args = args
        self.bucket = Bucket(name, BucketArgs(), self.child()) if args.bucket_name is None else None
        self.bucket_name: pulumi.Output[str] = (
            self.bucket.bucket_name if self.bucket else pulumi.Output.from_input(args.bucket_name or "")
        )
        self.table = self._create_table(args)
        self.task = self._create_task(args)
        self.dispatcher = self._create_dispatcher(args) if args.burst == Burst.BUFFERED else None
        self.rule = self._create_rule(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"bucket_name": self.bucket_name})

    def _create_table(self, args: ObjectProcessingArgs) -> IdempotencyTable | None:
        if args.idempotency_expires_hours is None:
            return None
        return IdempotencyTable(
            f"{self.name}-idempotency", IdempotencyTableArgs(encryption_key=args.encryption_key), self.child()
        )

    def _create_task(self, args: ObjectProcessingArgs) -> Task:
        container = dataclasses.replace(
            args.container,
            command=args.container.command or ["task"],
            environment={**args.container.environment, **self._environment(args)},
        )
        grants = [*self._read(), *(self.table.remember() if self.table else []), *args.statements]
        definition = TaskDefinitionArgs(
            container=container,
            cpu=args.cpu,
            memory_mib=args.memory_mib,
            architecture=args.architecture,
            log_retention_days=args.log_retention_days,
            statements=grants,
        )
        arguments = TaskArgs(cluster=args.cluster, network=args.network, definition=definition, spot=args.spot)
        return Task(f"{self.name}-task", arguments, self.child())

    def _read(self) -> list[Statement]:
        if self.bucket:
            return self.bucket.read()
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self)).partition
        arn = pulumi.Output.concat("arn:", partition, ":s3:::", self.bucket_name)
        return [
            Statement(
                actions=["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"],
                resources=[pulumi.Output.concat(arn, "/*")],
            ),
            Statement(actions=["s3:ListBucket"], resources=[arn]),
        ]

    def _environment(self, args: ObjectProcessingArgs) -> dict[str, pulumi.Input[str]]:
        variables: dict[str, pulumi.Input[str]] = {
            env.STACK: pulumi.get_stack(),
            env.PATTERN: self.name,
            env.LOG_LEVEL: args.log_level,
            env.STOP_TIMEOUT_SECONDS: str(args.container.stop_timeout_seconds),
        }
        if args.function:
            variables[env.HANDLER] = args.function
        if self.table and args.idempotency_expires_hours:
            variables[env.IDEMPOTENCY_TABLE] = self.table.table_name
            variables[env.IDEMPOTENCY_EXPIRES_SECONDS] = str(args.idempotency_expires_hours * 3600)
        return variables

    def _create_dispatcher(self, args: ObjectProcessingArgs) -> Dispatcher:
        return Dispatcher(
            self.name,
            DispatcherArgs(
                task=self.task,
                image=args.container.container_image,
                architecture=args.architecture,
                queue=QueueArgs(
                    visibility_timeout_seconds=60,  # kept up by the dispatcher's heartbeat
                    max_receive_count=args.max_receive_count,
                    encryption_key=args.encryption_key,
                ),
                max_running_tasks=args.max_running_tasks,
                launches_per_second=args.launches_per_second,
                processing_seconds=args.processing_seconds,
                log_level=args.log_level,
                log_retention_days=args.log_retention_days,
            ),
            self.child(),
        )

    def _create_rule(self, args: ObjectProcessingArgs) -> Rule:
        target: SqsTarget | EcsTaskTarget
        if self.dispatcher:
            target = SqsTarget(queue=self.dispatcher.queue)
        else:
            target = EcsTaskTarget(
                cluster=args.cluster,
                task_definition=self.task.definition,
                network=args.network,
                event_fields=EVENT_FIELDS,
                environment=event_variables(EVENT_FIELDS),
            )
        return Rule(
            self.name,
            RuleArgs(
                bus=DefaultBus(),
                event_pattern=self._event_pattern(args),
                targets=[target],
                description=args.description,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_seconds=args.maximum_event_age_seconds,
                encryption_key=args.encryption_key,
            ),
            self.child(),
        )

    def _event_pattern(self, args: ObjectProcessingArgs) -> dict[str, Any]:
        name: Any = args.bucket_name or self.bucket_name
        detail: dict[str, Any] = {"bucket": {"name": [name]}}
        if args.prefix and args.suffix:
            # Filters of one field are alternatives; a wildcard says both.
            wildcard = "*".join(part.replace("\\", "\\\\").replace("*", "\\*") for part in (args.prefix, args.suffix))
            detail["object"] = {"key": [{"wildcard": wildcard}]}
        elif args.prefix or args.suffix:
            detail["object"] = {"key": [{"prefix": args.prefix} if args.prefix else {"suffix": args.suffix}]}
        return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}

    def _create_alarms(self, args: ObjectProcessingArgs) -> ObjectProcessingAlarms:
        return ObjectProcessingAlarms(
            f"{self.name}-alarms",
            ObjectProcessingAlarmsArgs(
                pattern=self.name,
                rule=self.rule,
                dispatcher=self.dispatcher,
                oldest_message_seconds=args.oldest_message_seconds,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        dispatcher, account = (
            self.dispatcher,
            aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id,
        )
        region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self)).partition
        bus_arn = pulumi.Output.concat("arn:", partition, ":events:", region, ":", account, ":event-bus/default")
        queues = [dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS)]
        values: dict[str, pulumi.Input[Any]] = {}
        scaling = None
        if dispatcher:
            dead_letters = dispatcher.queue.dead_letter_queue
            queues.insert(0, dead_letter_queue_ref(dead_letters, Holds.MESSAGES, origin_arn=dispatcher.queue.arn))
            values = {
                "queue": queue_ref(dispatcher.queue),
                "service": published(
                    ServiceRef,
                    cluster=dispatcher.service.cluster_name,
                    name=dispatcher.service.service_name,
                    log_group=dispatcher.task_definition.log_group_name,
                ),
            }
            scaling = ScalingRef(
                policy=ScalingPolicy.BACKLOG_PER_TASK,
                min=0,
                max=1,
                acceptable_latency_seconds=self.args.processing_seconds,
                processing_seconds=self.args.processing_seconds,
            )
        return render(
            PatternManifest(name=self.name, pattern=PATTERN, stack=pulumi.get_stack(), region="", scaling=scaling),
            region=region,
            bus=published(BusRef, name="default", arn=bus_arn),
            rules=[published(RuleRef, name=rule.name, bus="default") for rule in self.rule.rules],
            bucket=published(BucketRef, name=self.bucket_name, prefix=self.args.prefix, suffix=self.args.suffix),
            task=published(
                TaskRef,
                cluster=self.task.cluster.cluster_name,
                family=self.task.definition.family,
                log_group=self.task.definition.log_group_name,
            ),
            dead_letter_queues=queues,
            idempotency_table=self.table.table_name if self.table else None,
            alarms=self.alarms.alarm_names if self.alarms else [],
            **values,
        )
