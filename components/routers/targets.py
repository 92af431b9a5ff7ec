"""What a rule can deliver to. A new kind of target is a new class with a `bind()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pulumi
import pulumi_aws as aws

from components.core.errors import InvalidArgsError
from components.stores.queue import Queue

__all__ = ["EVENTS_SERVICE", "Binding", "SqsTarget", "Target"]

EVENTS_SERVICE = "events.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What a target tells the rule.

    Attributes:
        arn: where EventBridge delivers.
        role_arn: the role it assumes for that; None where the target's own policy decides (SQS, SNS).
        sqs_target: FIFO group of an SQS target.
        depends_on: what must exist before the first event may come.
    """

    arn: pulumi.Input[str]
    role_arn: pulumi.Input[str] | None = None
    sqs_target: aws.cloudwatch.EventTargetSqsTargetArgs | None = None
    depends_on: Sequence[pulumi.Resource] = field(default=())


class Target(Protocol):
    """Something that a rule delivers to."""

    @property
    def name(self) -> str:
        """Unique among a rule's targets; part of the child's name, so a change replaces it."""
        ...

    def bind(self, rule_arn: pulumi.Input[str]) -> Binding:
        """Give the rule with this ARN, and no other, access; say how to deliver."""
        ...


@dataclass(frozen=True, kw_only=True)
class SqsTarget:
    """A queue. Its policy gains the rule's ARN.

    Attributes:
        queue: standard or FIFO.
        message_group_id: FIFO only, and then required. EventBridge knows only a constant, so all events of the rule
            share one group and are handled one after the other.
    """

    queue: Queue
    message_group_id: str | None = None

    def __post_init__(self) -> None:
        if self.queue.fifo and not self.message_group_id:
            raise InvalidArgsError(
                f"SqsTarget of {self.queue.name!r}",
                ["message_group_id is not set, and a FIFO queue refuses a message without one; e.g. 'orders'"],
            )
        if self.message_group_id and not self.queue.fifo:
            raise InvalidArgsError(
                f"SqsTarget of {self.queue.name!r}",
                [f"message_group_id is {self.message_group_id!r}, but the queue is not FIFO; leave it unset"],
            )

    @property
    def name(self) -> str:
        return self.queue.name

    def bind(self, rule_arn: pulumi.Input[str]) -> Binding:
        self.queue.accept_from(EVENTS_SERVICE, rule_arn)
        group = self.message_group_id
        return Binding(
            arn=self.queue.arn,
            sqs_target=aws.cloudwatch.EventTargetSqsTargetArgs(message_group_id=group) if group else None,
            depends_on=[self.queue.policy],
        )
