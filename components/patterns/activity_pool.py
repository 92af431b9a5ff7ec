"""ActivityPool: objects listed in S3 → distributed map → activity → a pool of workers that ask it for work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.compute.pool_scaling import PoolScaling, PoolScalingArgs
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.place import place_of
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published
from components.observability.activity_pool_alarms import ActivityPoolAlarms, ActivityPoolAlarmsArgs
from components.patterns.manifests import backlog_scaling, worker_manifest
from components.patterns.worker import (
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    WorkerArgs,
    create_idempotency_table,
    create_service,
    create_task_definition,
)
from components.stores.bucket import Bucket, BucketArgs
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs
from components.workflows.activity import Activity
from components.workflows.branches import (
    MAX_CHILDREN,
    DistributedMap,
    InputType,
    Items,
    ItemsInObject,
    ObjectList,
    Results,
)
from components.workflows.definition import Definition
from components.workflows.items_counter import ItemsCounter, ItemsCounterArgs
from components.workflows.retries import RETRY_RULES, RetryArgs
from components.workflows.state_machine import StateMachine, StateMachineArgs
from components.workflows.task_states import ActivityState
from contracts import environment as env
from contracts.manifest import BucketRef, Holds, StateMachineRef, StepRef

__all__ = ["KEY_IN_INPUT", "MAP", "PATTERN", "STEP", "ActivityPool", "ActivityPoolArgs", "BucketByName"]

PATTERN = "activity-pool"
MAP, STEP = "items", "work"
"""Names of the two states."""
KEY_IN_INPUT = "$.key"
"""Where an execution's input names the object that lists the items."""


class BucketByName:
    """A bucket that is not this program's."""

    def __init__(self, name: str, partition: pulumi.Input[str]) -> None:
        self.bucket_name = name
        self.arn = pulumi.Output.concat("arn:", partition, ":s3:::", name)


@dataclass(frozen=True, kw_only=True)
class ActivityPoolArgs(WorkerArgs):
    """Arguments of `ActivityPool`, beside those of `WorkerArgs`.

    Attributes:
        bucket_name: of an existing bucket with the objects, or the lists; default None: one is made.
        prefix: what the objects' keys begin with; default ``""``, all. Without `list_type` only.
        list_type: an execution's input names an object, ``{"key": …}``, that lists the items in this way; default None:
            the bucket is listed.
        batch_size: items of one task of the activity, 1 to 10,000; default 1.
        max_concurrency: tasks that wait or are worked on at a time, 1 to 10,000; default 1,000.
        tolerated_failure_percentage: 0 to 100; default 0: the first failure ends the map.
        timeout_seconds: of a worker for one task, 1 to 99,999,999.
        heartbeat_seconds: how long a killed worker stays unnoticed, 3 to 86,400, less than the timeout.
        retry: of a task whose handler failed, or whose worker was lost.
        execution_timeout_seconds: of a whole map, 1 to 99,999,999; default 604,800, a week.
        min_tasks, max_tasks: of the pool, 0 to 5,000; default 0 and 10.
        acceptable_latency_seconds: in how long a map's items should be done; default 3,600.
        processing_seconds: what a task of the pool spends on an item; default 1.
        encryption_key: of the table and the queue; default None.
        force_destroy: empty the buckets of the pattern when the stack is destroyed; default False.
    """

    bucket_name: str | None = None
    prefix: str = ""
    list_type: InputType | None = None
    batch_size: int = 1
    max_concurrency: int = 1_000
    tolerated_failure_percentage: float = 0
    timeout_seconds: int
    heartbeat_seconds: int
    retry: RetryArgs = field(default_factory=RetryArgs)
    execution_timeout_seconds: int = 604_800
    min_tasks: int = 0
    max_tasks: int = 10
    acceptable_latency_seconds: float = 3_600
    processing_seconds: float = 1
    encryption_key: EncryptionKey | None = None
    force_destroy: bool = False


_RULES = (
    Range("concurrency", 1, 100, "tasks of the activity"),
    Range("batch_size", 1, 10_000, "items"),
    Range("max_concurrency", 1, MAX_CHILDREN, "tasks of the activity"),
    Range("tolerated_failure_percentage", 0, 100, "per cent", whole=False),
    Range("execution_timeout_seconds", 1, 99_999_999, "seconds"),
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
    Check(
        ("prefix", "list_type"),
        lambda args: bool(args.prefix) and args.list_type is not None,
        lambda args: f"prefix is {args.prefix!r}, but the items are listed by an object; leave it out",
    ),
    Check(
        ("max_tasks", "concurrency", "max_concurrency"),
        lambda args: args.max_tasks * args.concurrency > args.max_concurrency,
        lambda args: (
            f"max_tasks × concurrency is {args.max_tasks * args.concurrency:,}, more than max_concurrency "
            f"({args.max_concurrency:,}): the rest would never get work; lower it or raise max_concurrency"
        ),
    ),
)


class ActivityPool(Component):
    """A map over many objects, whose work is done by a pool instead of a task for each.

    Attributes:
        bucket: with the objects; None when it is not this program's.
        results_bucket, activity, state_machine, task_definition, service, counter, scaling: the parts.
        dead_letter_queue: of the counter's ticks.
        table: of the idempotency keys; None without.
        alarms: None when they are off.
    """

    def __init__(self, name: str, args: ActivityPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        check(f"ActivityPool {name!r}", args, (*_RULES,))
        check(f"ActivityPool {name!r} retry", args.retry, RETRY_RULES)
        self.args = args
        quiet = BucketArgs(events=False, force_destroy=args.force_destroy)
        self.bucket = None if args.bucket_name else Bucket(name, quiet, self.child())
        self._source = self.bucket or self._existing(str(args.bucket_name))
        self.results_bucket = Bucket(f"{name}-results", quiet, self.child())
        self.activity = Activity(name, opts=self.child())
        self.state_machine = self._create_state_machine(args)
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.encryption_key)
        self.task_definition = self._create_task_definition(args)
        self.service = create_service(self, args, self.task_definition, desired_count=args.min_tasks)
        self.dead_letter_queue = DeadLetterQueue(
            f"{name}-undelivered", DeadLetterQueueArgs(encryption_key=args.encryption_key), self.child()
        )
        self.dead_letter_queue.refuse_redrive()
        self.counter = ItemsCounter(
            f"{name}-counter",
            ItemsCounterArgs(
                pattern=name,
                state_machine=self.state_machine,
                dead_letter_queue=self.dead_letter_queue,
                log_retention_days=args.log_retention_days,
            ),
            self.child(),
        )
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"state_machine_arn": self.state_machine.arn, "activity_arn": self.activity.arn})

    def _existing(self, name: str) -> BucketByName:
        return BucketByName(name, place_of(self).partition)

    def _items(self, args: ActivityPoolArgs) -> tuple[Items, dict[str, Any] | None]:
        """Where they are, and what the handler gets of each; of a list's entry all."""
        if args.list_type is not None:
            return ItemsInObject(bucket=self._source, key_path=KEY_IN_INPUT, input_type=args.list_type), None
        item = "$$.Map.Item.Value"
        fields = {"key.$": f"{item}.Key", "size.$": f"{item}.Size", "etag.$": f"{item}.Etag"}
        return ObjectList(bucket=self._source, prefix=args.prefix or None), {
            "bucket": self._source.bucket_name,
            **fields,
        }

    def _create_state_machine(self, args: ActivityPoolArgs) -> StateMachine:
        items, selector = self._items(args)
        work = ActivityState(
            name=STEP,
            activity=self.activity,
            timeout_seconds=args.timeout_seconds,
            heartbeat_seconds=args.heartbeat_seconds,
            retry=args.retry,
            result_path="$",
        )
        states = DistributedMap(
            name=MAP,
            processor=Definition(states=[work]),
            items=items,
            item_selector=selector,
            batch_size=args.batch_size,
            max_concurrency=args.max_concurrency,
            tolerated_failure_percentage=args.tolerated_failure_percentage,
            results=Results(bucket=self.results_bucket),
            result_path="$",
        )
        return StateMachine(
            self.name,
            StateMachineArgs(
                definition=Definition(states=[states]),
                timeout_seconds=args.execution_timeout_seconds,
                log_retention_days=args.log_retention_days,
            ),
            self.child(depends_on=self.results_bucket.ready),
        )

    def _create_task_definition(self, args: ActivityPoolArgs) -> TaskDefinition:
        return create_task_definition(
            self,
            args,
            command="activity",
            variables={
                env.ACTIVITY_ARN: self.activity.arn,
                env.HEARTBEAT_SECONDS: str(args.heartbeat_seconds),
            },
            grants=[*self.activity.work(), *(self.bucket.read() if self.bucket else ())],
            table=self.table,
        )

    def _create_scaling(self, args: ActivityPoolArgs) -> PoolScaling:
        return PoolScaling(
            f"{self.name}-scaling",
            PoolScalingArgs(
                service=self.service,
                pattern=self.name,
                min_tasks=args.min_tasks,
                max_tasks=args.max_tasks,
                acceptable_latency_seconds=args.acceptable_latency_seconds,
                processing_seconds=args.processing_seconds,
            ),
            self.child(),
        )

    def _create_alarms(self, args: ActivityPoolArgs) -> ActivityPoolAlarms:
        return ActivityPoolAlarms(
            f"{self.name}-alarms",
            ActivityPoolAlarmsArgs(
                pattern=self.name,
                state_machine=self.state_machine,
                activity=self.activity,
                service=self.service,
                dead_letter_queue=self.dead_letter_queue,
                topic_arn=args.alarm_topic_arn,
            ),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        step = published(
            StepRef,
            name=STEP,
            kind="activity",
            log_group=self.task_definition.log_group_name,
            service=self.service.service_name,
        )
        return worker_manifest(
            self,
            PATTERN,
            scaling=backlog_scaling(self.scaling.args, max_tasks=self.args.max_tasks),
            service=self.service,
            table=self.table,
            alarms=[self.alarms],
            bucket=published(BucketRef, name=self._source.bucket_name, prefix=self.args.prefix),
            state_machine=published(
                StateMachineRef,
                name=self.state_machine.state_machine_name,
                arn=self.state_machine.arn,
                log_group=self.state_machine.log_group_name,
                steps=pulumi.Output.all(step).apply(tuple),
            ),
            dead_letter_queues=[dead_letter_queue_ref(self.dead_letter_queue, Holds.UNDELIVERED_EVENTS)],
        )
