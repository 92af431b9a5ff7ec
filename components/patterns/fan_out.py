"""FanOut: the same events for several queues, each with its own workers and its own filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import pulumi

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.manifest import dead_letter_queue_ref, published
from components.observability.alarms import Notice, Runbook, dead_letter_alarm, failed_invocations_alarm
from components.patterns.manifests import pattern_manifest
from components.patterns.queue_worker import QueueWorker, QueueWorkerArgs
from components.routers.event_bus import EventBus
from components.routers.rule import Rule, RuleArgs
from components.routers.subscriptions import Filter, QueueSubscription
from components.routers.targets import SnsTarget, SqsTarget
from components.routers.topic import Topic, TopicArgs
from components.stores.queue import DeadLetterQueue, for_rule
from contracts.manifest import BusRef, Holds, RuleRef, TopicRef

__all__ = ["PATTERN", "FanOut", "FanOutArgs", "FanOutWorker", "Via"]

PATTERN = "fan-out"


class Via(StrEnum):
    """What copies the events."""

    TOPIC = "topic"
    """bus → rule → topic → queues, each with its own filter."""
    BUS = "bus"
    """bus → rule → queues: one arrow less, and every queue gets every event of the rule."""


@dataclass(frozen=True, kw_only=True)
class FanOutWorker:
    """One of the workers.

    Attributes:
        worker: its parts; without an event pattern of its own.
        filter: which messages of the topic it gets; default None, all.
    """

    worker: QueueWorkerArgs
    filter: Filter | None = None


@dataclass(frozen=True, kw_only=True)
class FanOutArgs:
    """Arguments of `FanOut`.

    Attributes:
        bus: whose events are fanned out.
        workers: name → worker; two or more make sense, one is allowed.
        event_pattern: which events of the bus; default None: producers publish to the topic themselves, as they must
            to a FIFO topic, which EventBridge cannot reach.
        via: default the topic.
        topic: default a standard topic. With ``fifo`` the order per message group holds from the producer to the
            handler if the workers' queues are FIFO, too.
        maximum_retry_attempts, maximum_event_age_seconds: of EventBridge's delivery; defaults of `RuleArgs`.
        alarms: whether to create alarms for what could not be delivered; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        description: of the rule.
    """

    bus: EventBus
    workers: Mapping[str, FanOutWorker]
    event_pattern: Mapping[str, Any] | None = None
    via: Via = Via.TOPIC
    topic: TopicArgs = field(default_factory=TopicArgs)
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    description: str | None = None


class FanOut(Component):
    """Several workers on the same events.

    Attributes:
        workers: ``<name>-<worker>``, as `ops` names it → `QueueWorker`.
        topic: None via the bus.
        rule: None without an event pattern.
        undelivered: worker → `DeadLetterQueue` of what the topic could not deliver to its queue; empty via the bus.
    """

    def __init__(self, name: str, args: FanOutArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        self._validate(args)
        self.args = args
        self.workers = {
            f"{name}-{worker}": QueueWorker(f"{name}-{worker}", self._fed(spec.worker), self.child())
            for worker, spec in args.workers.items()
        }
        self.topic = Topic(f"{name}-topic", args.topic, self.child()) if args.via is Via.TOPIC else None
        self.undelivered = self._subscribe(self.topic, args) if self.topic else {}
        self.rule = self._create_rule(args) if args.event_pattern is not None else None
        self.alarm_names = self._create_alarms(args) if args.alarms else []
        self.publish({"topic_arn": self.topic.arn if self.topic else None})

    def _validate(self, args: FanOutArgs) -> None:
        problems = []
        if not args.workers:
            problems.append("workers is empty; name at least one")
        for worker, spec in args.workers.items():
            if spec.worker.event_pattern is not None:
                problems.append(f"workers.{worker} has an event pattern of its own; leave it out, or use a filter")
            if spec.worker.queue.fifo and args.via is Via.TOPIC and not args.topic.fifo:
                problems.append(f"workers.{worker}.queue is FIFO and the topic is not; set topic.fifo, too")
            if spec.filter is not None and args.via is Via.BUS:
                problems.append(f"workers.{worker} has a filter, which only a topic applies; set via to 'topic'")
        if args.topic.fifo and args.event_pattern is not None:
            problems.append(
                "topic.fifo with an event pattern: EventBridge cannot publish to a FIFO topic; leave the pattern out "
                "and publish to the topic, or set via to 'bus'"
            )
        if args.via is Via.BUS and args.event_pattern is None:
            problems.append("via the bus there is nothing to fan out without an event pattern; name one")
        if problems:
            raise InvalidArgsError(f"FanOut {self.name!r}", problems)

    def _fed(self, worker: QueueWorkerArgs) -> QueueWorkerArgs:
        return replace(worker, queue=for_rule(worker.queue)) if self.args.via is Via.BUS else worker

    def _subscribe(self, topic: Topic, args: FanOutArgs) -> dict[str, DeadLetterQueue]:
        return {
            name: topic.subscribe(
                QueueSubscription(queue=self.workers[f"{self.name}-{name}"].queue, filter=spec.filter)
            )
            for name, spec in args.workers.items()
        }

    def _create_rule(self, args: FanOutArgs) -> Rule:
        assert args.event_pattern is not None
        queues = [worker.queue for worker in self.workers.values()]
        return Rule(
            self.name,
            RuleArgs(
                bus=args.bus,
                event_pattern=args.event_pattern,
                targets=[SnsTarget(topic=self.topic)]
                if self.topic
                else [SqsTarget(queue=queue, message_group_id=queue.name if queue.fifo else None) for queue in queues],
                description=args.description,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_seconds=args.maximum_event_age_seconds,
                encryption_key=args.topic.encryption_key,
            ),
            self.child(),
        )

    def _create_alarms(self, args: FanOutArgs) -> list[pulumi.Output[str]]:
        alarms = [
            dead_letter_alarm(
                self,
                f"{self.name}-{worker}-not-delivered",
                queue,
                self._notice(f"The topic of {self.name} could not deliver messages to {worker}; they stay 14 days."),
            )
            for worker, queue in self.undelivered.items()
        ]
        if self.rule:
            lost = f"EventBridge could not deliver events of {self.name}; they stay 14 days."
            alarms.append(
                dead_letter_alarm(self, f"{self.name}-not-delivered", self.rule.dead_letter_queue, self._notice(lost))
            )
            failing = f"The rule of {self.name} could not invoke its target."
            alarms.append(
                failed_invocations_alarm(self, f"{self.name}-failed-invocations", self.rule, self._notice(failing))
            )
        return [alarm.name for alarm in alarms]

    def _notice(self, meaning: str) -> Notice:
        return Notice(
            meaning=meaning,
            command=f"peek-dlq {self.name}",
            runbook=Runbook.DEAD_LETTER_QUEUE,
            topic_arn=self.args.alarm_topic_arn,
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know of the fan-out itself, as JSON text; each worker has a manifest of its own."""
        bus = self.args.bus
        undelivered = [
            dead_letter_queue_ref(
                queue, Holds.UNDELIVERED_MESSAGES, origin_arn=self.workers[f"{self.name}-{name}"].queue.arn
            )
            for name, queue in self.undelivered.items()
        ]
        rules = self.rule.rules if self.rule else []
        if self.rule:
            undelivered.append(dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS))
        return pattern_manifest(
            self,
            PATTERN,
            bus=published(BusRef, name=bus.bus_name, arn=bus.arn),
            rules=[published(RuleRef, name=rule.name, bus=bus.bus_name) for rule in rules],
            topic=published(TopicRef, name=self.topic.topic_name, arn=self.topic.arn, fifo=self.topic.fifo)
            if self.topic
            else None,
            dead_letter_queues=undelivered,
            alarms=self.alarm_names,
        )
