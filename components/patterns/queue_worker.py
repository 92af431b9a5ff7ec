"""QueueWorker: bus → rule → queue → Fargate workers that scale with it; a dead-letter queue beside every arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.compute.scaling import QueueScaling, QueueScalingArgs
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import Range, check
from components.manifest import dead_letter_queue_ref, published, queue_ref
from components.observability.queue_worker_alarms import QueueWorkerAlarms, QueueWorkerAlarmsArgs
from components.patterns.manifests import backlog_scaling, worker_manifest
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
from components.routers.targets import SqsTarget
from components.stores.queue import Queue, QueueArgs, for_rule
from contracts import environment as env
from contracts.manifest import BusRef, Holds, RuleRef
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, DEFAULT_HEADROOM, ScalingPolicy

__all__ = ["PATTERN", "QueueWorker", "QueueWorkerArgs"]

PATTERN = "queue-worker"


@dataclass(frozen=True, kw_only=True)
class QueueWorkerArgs(WorkerArgs):
    """Arguments of `QueueWorker`, beside those of `WorkerArgs`.

    Attributes:
        bus: whose events it handles.
        event_pattern: which events; default None: no rule is made, and something else (a topic) sends to the queue.
        queue: default a standard queue with five receives.
        message_group_id: FIFO only: the group of all events, up to 100 characters; default the pattern's name.
        batch_size: messages per receive, 1 to 10; default 10. A task never takes more than it can start soon.
        receive_wait_seconds: length of a long poll, 1 to 20; default 20, which is the cheapest. The worker shortens it
            to half the stop timeout.
        policy: what the number of tasks follows; default backlog per task.
        acceptable_latency_seconds: how long a message may wait; default 900.
        processing_seconds: what one task spends on one message; default 1.
        headroom: see `QueueScalingArgs`; default 0.
        min_tasks, max_tasks: 0 to 5,000; default 0 and 10.
        maximum_retry_attempts, maximum_event_age_seconds: of EventBridge's delivery; defaults of `RuleArgs`.
        oldest_message_seconds: age of the oldest message that raises an alarm, from 60; default three times the
            acceptable latency, at least 300.
        description: of the rule.
    """

    bus: EventBus
    event_pattern: Mapping[str, Any] | None = None
    queue: QueueArgs = field(default_factory=QueueArgs)
    message_group_id: str | None = None
    batch_size: int = 10
    receive_wait_seconds: int = 20
    policy: ScalingPolicy = ScalingPolicy.BACKLOG_PER_TASK
    acceptable_latency_seconds: float = DEFAULT_ACCEPTABLE_LATENCY_SECONDS
    processing_seconds: float = 1
    headroom: float = DEFAULT_HEADROOM
    min_tasks: int = 0
    max_tasks: int = 10
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    oldest_message_seconds: int | None = None
    description: str | None = None


_RULES = (
    Range("concurrency", 1, 100, "messages"),
    Range("batch_size", 1, 10, "messages"),
    Range("receive_wait_seconds", 1, 20, "seconds"),
    IDEMPOTENCY_RULE,
    OWNED_VARIABLES,
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
        check(f"QueueWorker {name!r}", args, _RULES)
        self.args = args
        self.queue = Queue(name, for_rule(args.queue) if args.event_pattern is not None else args.queue, self.child())
        self.rule = self._create_rule(args, args.event_pattern) if args.event_pattern is not None else None
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.queue.encryption_key)
        self.task_definition = self._create_task_definition(args)
        self.service = create_service(self, args, self.task_definition, desired_count=args.min_tasks)
        self.scaling = self._create_scaling(args)
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"queue_url": self.queue.url, "dead_letter_queue_url": self.queue.dead_letter_queue.url})

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

    def _create_task_definition(self, args: QueueWorkerArgs) -> TaskDefinition:
        return create_task_definition(
            self,
            args,
            variables={
                env.QUEUE_URL: self.queue.url,
                env.DEAD_LETTER_QUEUE_URL: self.queue.dead_letter_queue.url,
                env.MAX_RECEIVE_COUNT: str(self.queue.max_receive_count),
                env.VISIBILITY_TIMEOUT_SECONDS: str(self.queue.visibility_timeout_seconds),
                env.BATCH_SIZE: str(args.batch_size),
                env.RECEIVE_WAIT_SECONDS: str(args.receive_wait_seconds),
            },
            grants=[*self.queue.consume(), *self.queue.dead_letter_queue.send()],
            table=self.table,
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
                headroom=args.headroom,
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
        return worker_manifest(
            self,
            PATTERN,
            scaling=backlog_scaling(self.scaling.args, max_tasks=self.args.max_tasks, policy=self.args.policy),
            service=self.service,
            table=self.table,
            alarms=[self.alarms],
            bus=published(BusRef, name=self.args.bus.bus_name, arn=self.args.bus.arn),
            rules=[published(RuleRef, name=rule.name, bus=self.args.bus.bus_name) for rule in self._rules()],
            queue=queue_ref(self.queue),
            dead_letter_queues=[
                dead_letter_queue_ref(self.queue.dead_letter_queue, Holds.MESSAGES, origin_arn=self.queue.arn),
                *([dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS)] if self.rule else []),
            ],
        )
