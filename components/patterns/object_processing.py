"""ObjectProcessing: S3 → default bus → rule → Fargate task; `buffered` puts a queue and a dispatcher in between."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pulumi

from components.compute.dispatcher import Dispatcher, DispatcherArgs
from components.compute.task import Task
from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.place import place_of
from components.core.validation import Check, OneOf, Range, check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published, queue_ref, service_ref
from components.observability.object_processing_alarms import ObjectProcessingAlarms, ObjectProcessingAlarmsArgs
from components.patterns.manifests import pattern_manifest, task_ref
from components.patterns.standalone_task import StandaloneTaskArgs, create_task
from components.patterns.worker import IDEMPOTENCY_RULE, create_idempotency_table, owned_variables
from components.routers.event_sources import DefaultBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import EcsTaskTarget, SqsTarget
from components.stores.bucket import Bucket, BucketArgs
from components.stores.large_events import LargeEvents, LargeEventsArgs
from components.stores.queue import QueueArgs
from contracts import environment as env
from contracts.manifest import BucketRef, BusRef, Holds, RuleRef, ScalingRef
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
class ObjectProcessingArgs(StandaloneTaskArgs):
    """Arguments of `ObjectProcessing`, beside those of `StandaloneTaskArgs`.

    Attributes:
        bucket_name: an existing bucket whose EventBridge notifications are on; default None: one is made.
        prefix, suffix: of the keys; default all.
        burst: default buffered.
        max_running_tasks, launches_per_second: buffered: see `DispatcherArgs`; default 20 and 5.
        processing_seconds: what one task takes, its start included, 1 to 43,200; default 120.
        max_receive_count: buffered: how often a task is run before its event is dead-lettered, 1 to 1,000; default 5.
        spot: buffered only, which runs a reclaimed task again; default False.
        idempotency_expires_hours: how long an object's version is remembered, 1 to 8,760; default 24; None: every
            copy of an event is handled.
        maximum_retry_attempts, maximum_event_age_seconds: of EventBridge's delivery; defaults of `RuleArgs`.
        encryption_key: of the queues, the table and the bucket of large events; default None.
        oldest_message_seconds: buffered: age of the oldest waiting event that raises an alarm; default 3,600.
        description: of the rule.
    """

    bucket_name: str | None = None
    prefix: str = ""
    suffix: str = ""
    burst: Burst = Burst.BUFFERED
    max_running_tasks: int = 20
    launches_per_second: float = 5
    processing_seconds: float = 120
    max_receive_count: int = 5
    idempotency_expires_hours: int | None = 24
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    encryption_key: EncryptionKey | None = None
    oldest_message_seconds: int = 3_600
    description: str | None = None


_RULES = (
    OneOf("burst", tuple(item.value for item in Burst)),
    Range("processing_seconds", 1, 43_200, "seconds", whole=False),
    IDEMPOTENCY_RULE,
    Range("oldest_message_seconds", 60, 1_209_600, "seconds"),
    Check(
        ("burst", "spot"),
        lambda args: args.spot and args.burst == Burst.DIRECT,
        "spot with burst direct: nobody runs a reclaimed task again; use burst buffered, or leave spot off",
    ),
    owned_variables({getattr(env, constant) for constant in env.__all__} | EVENT_FIELDS.keys()),
)


class ObjectProcessing(Component):
    """A task for every new object.

    Attributes:
        bucket: None when it was given by name.
        bucket_name: of the bucket.
        task, table, rule, dispatcher, large_events, alarms: the parts; table, dispatcher, large_events and alarms may
            be None.
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
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.encryption_key)
        self.large_events = self._create_large_events(args) if args.burst == Burst.BUFFERED else None
        self.task = self._create_task(args)
        self.dispatcher = self._create_dispatcher(args, self.large_events) if self.large_events else None
        self.rule = self._create_rule(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"bucket_name": self.bucket_name})

    def _create_task(self, args: ObjectProcessingArgs) -> Task:
        return create_task(
            self,
            args,
            table=self.table,
            expires_hours=args.idempotency_expires_hours,
            grants=[*self._read(), *(self.large_events.read() if self.large_events else [])],
        )

    def _read(self) -> list[Statement]:
        if self.bucket:
            return self.bucket.read()
        partition = place_of(self).partition
        arn = pulumi.Output.concat("arn:", partition, ":s3:::", self.bucket_name)
        return [
            Statement(
                actions=["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"],
                resources=[pulumi.Output.concat(arn, "/*")],
            ),
            Statement(actions=["s3:ListBucket"], resources=[arn]),
        ]

    def _create_large_events(self, args: ObjectProcessingArgs) -> LargeEvents:
        arguments = LargeEventsArgs(encryption_key=args.encryption_key)
        return LargeEvents(f"{self.name}-large-events", arguments, self.child())

    def _create_dispatcher(self, args: ObjectProcessingArgs, large_events: LargeEvents) -> Dispatcher:
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
                large_events=large_events,
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
        dispatcher = self.dispatcher
        bus_arn = place_of(self).arn("events", "event-bus/default")
        queues = [dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS)]
        values: dict[str, pulumi.Input[Any]] = {}
        scaling = None
        if dispatcher:
            dead_letters = dispatcher.queue.dead_letter_queue
            queues.insert(0, dead_letter_queue_ref(dead_letters, Holds.MESSAGES, origin_arn=dispatcher.queue.arn))
            values = {
                "queue": queue_ref(dispatcher.queue),
                "service": service_ref(dispatcher.service),
            }
            scaling = ScalingRef(
                policy=ScalingPolicy.BACKLOG_PER_TASK,
                min=0,
                max=1,
                acceptable_latency_seconds=self.args.processing_seconds,
                processing_seconds=self.args.processing_seconds,
            )
        return pattern_manifest(
            self,
            PATTERN,
            scaling=scaling,
            bus=published(BusRef, name="default", arn=bus_arn),
            rules=[published(RuleRef, name=rule.name, bus="default") for rule in self.rule.rules],
            bucket=published(BucketRef, name=self.bucket_name, prefix=self.args.prefix, suffix=self.args.suffix),
            task=task_ref(self.task),
            dead_letter_queues=queues,
            idempotency_table=self.table.table_name if self.table else None,
            alarms=self.alarms.alarm_names if self.alarms else [],
            **values,
        )
