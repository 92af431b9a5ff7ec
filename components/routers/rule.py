"""Rule: content-based routing from a bus to targets, each with a retry policy and a dead-letter queue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.validation import Range, check
from components.encryption import EncryptionKey
from components.routers.event_bus import EventBus
from components.routers.targets import EVENTS_SERVICE, Target
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs
from contracts import event_pattern

__all__ = ["MAX_TARGETS", "Rule", "RuleArgs"]

MAX_TARGETS = 5
"""EventBridge quotas: "Targets per rule", which cannot be raised."""


@dataclass(frozen=True, kw_only=True)
class RuleArgs:
    """Arguments of `Rule`.

    Attributes:
        bus: whose events. **A change replaces the rule.**
        event_pattern: what matches, e.g. ``{"source": ["com.flix"], "detail": {"data": {"region": ["AU", "NZ"]}}}``.
        targets: one to five.
        description: shown in the console.
        maximum_retry_attempts: 0 to 185; default 185, EventBridge's own.
        maximum_event_age_seconds: 60 to 86,400; default 86,400, EventBridge's own.
        encryption_key: customer-managed key of the dead-letter queue; default None, which is SSE-SQS.
    """

    bus: EventBus
    event_pattern: Mapping[str, Any]
    targets: Sequence[Target]
    description: str | None = None
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    encryption_key: EncryptionKey | None = None


_RULES = (
    Range("maximum_retry_attempts", 0, 185, "attempts"),
    Range("maximum_event_age_seconds", 60, 86_400, "seconds"),
)


class Rule(Component):
    """Delivers each matching event to every target; what cannot be delivered goes to the rule's dead-letter queue.

    Attributes:
        arn, rule_name: of the rule.
        rule: the raw rule.
        dead_letter_queue: `DeadLetterQueue` ``<name>-undelivered``; always standard, because EventBridge refuses FIFO.
    """

    def __init__(self, name: str, args: RuleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._validate(args)
        self.rule = aws.cloudwatch.EventRule(
            name,
            event_bus_name=args.bus.bus_name,
            event_pattern=json.dumps(args.event_pattern, separators=(",", ":")),
            description=args.description,
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.rule.arn
        self.rule_name: pulumi.Output[str] = self.rule.name
        self.dead_letter_queue = self._create_dead_letter_queue(args)
        for target in args.targets:
            self._create_target(target, args)
        self.publish(
            {"arn": self.arn, "rule_name": self.rule_name, "dead_letter_queue_url": self.dead_letter_queue.url}
        )

    def _validate(self, args: RuleArgs) -> None:
        where = f"Rule {self.name!r}"
        check(where, args, _RULES)
        problems = [f"event_pattern: {problem}" for problem in event_pattern.problems(args.event_pattern)]
        if not 1 <= len(args.targets) <= MAX_TARGETS:
            problems.append(
                f"targets has {len(args.targets)} entries; EventBridge allows 1 to {MAX_TARGETS} for a rule"
            )
        names = [target.name for target in args.targets]
        problems += [f"targets: {name!r} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
        if problems:
            raise InvalidArgsError(where, problems)

    def _create_dead_letter_queue(self, args: RuleArgs) -> DeadLetterQueue:
        queue = DeadLetterQueue(
            f"{self.name}-undelivered", DeadLetterQueueArgs(encryption_key=args.encryption_key), self.child()
        )
        queue.accept_from(EVENTS_SERVICE, self.arn)
        queue.refuse_redrive()
        return queue

    def _create_target(self, target: Target, args: RuleArgs) -> None:
        binding = target.bind(self.arn)
        aws.cloudwatch.EventTarget(
            f"{self.name}-{target.name}",
            rule=self.rule_name,
            event_bus_name=args.bus.bus_name,
            arn=binding.arn,
            role_arn=binding.role_arn,
            sqs_target=binding.sqs_target,
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_in_seconds=args.maximum_event_age_seconds,
            ),
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=self.dead_letter_queue.arn),
            # An event that comes before the queues accept it would be lost with its dead letter.
            opts=self.child(depends_on=[*binding.depends_on, self.dead_letter_queue.policy]),
        )
