"""What a target and a rule tell each other. A new kind of target is a new class with a `bind()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.validation import Range
from components.core.validation import Rule as ValidationRule
from components.routers.targets.input import TargetInput

__all__ = [
    "DEFAULT_RETRY",
    "EVENTS_SERVICE",
    "RETRY_RULES",
    "Addressable",
    "Binding",
    "Existing",
    "RetryPolicy",
    "RuleSide",
    "Target",
    "refuse",
]

EVENTS_SERVICE = "events.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long EventBridge tries to deliver before the event goes to the rule's dead-letter queue.

    Attributes:
        maximum_retry_attempts: 0 to 185; default 185, EventBridge's own.
        maximum_event_age_seconds: 60 to 86,400; default 86,400, EventBridge's own.
    """

    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400


DEFAULT_RETRY = RetryPolicy()

RETRY_RULES: tuple[ValidationRule, ...] = (
    Range("maximum_retry_attempts", 0, 185, "attempts"),
    Range("maximum_event_age_seconds", 60, 86_400, "seconds"),
)


class Addressable(Protocol):
    """A component that has an ARN: what most targets deliver to."""

    @property
    def name(self) -> str:
        """Its logical name."""
        ...

    @property
    def arn(self) -> pulumi.Input[str]:
        """Its ARN."""
        ...


@dataclass(frozen=True, kw_only=True)
class Existing:
    """Something that this program did not make, by its ARN.

    Attributes:
        name: what it is called in the names of children; lower-case letters, digits, hyphens.
        arn: its ARN.
    """

    name: str
    arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class RuleSide:
    """What the rule tells a target.

    Attributes:
        owner: the component whose children the target may create.
        arn: the one rule that delivers to this target.
        child_name: unique in the program; prefix of the names of the target's own children.
    """

    owner: Component
    arn: pulumi.Input[str]
    child_name: str


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What a target tells the rule.

    Attributes:
        arn: where EventBridge delivers.
        statements: what the rule's role must allow; none where the target's own policy decides (SQS, SNS, Lambda).
        depends_on: what must exist before the first event may come.
        sqs_target, kinesis_target, ecs_target, http_target: what one kind of target needs beyond the ARN.
    """

    arn: pulumi.Input[str]
    statements: Sequence[Statement] = ()
    depends_on: Sequence[pulumi.Resource] = field(default=())
    sqs_target: aws.cloudwatch.EventTargetSqsTargetArgs | None = None
    kinesis_target: aws.cloudwatch.EventTargetKinesisTargetArgs | None = None
    ecs_target: aws.cloudwatch.EventTargetEcsTargetArgs | None = None
    http_target: aws.cloudwatch.EventTargetHttpTargetArgs | None = None


class Target(Protocol):
    """Something that a rule delivers to."""

    @property
    def name(self) -> str:
        """Unique among a rule's targets; part of the child's name, so a change replaces it."""
        ...

    @property
    def input(self) -> TargetInput | None:
        """What is delivered; None is the event as it is."""
        ...

    @property
    def retry(self) -> RetryPolicy | None:
        """None is the rule's own."""
        ...

    def bind(self, rule: RuleSide) -> Binding:
        """Give this rule, and no other, access; say how to deliver."""
        ...


def refuse(target: object, name: str, problems: Sequence[str]) -> None:
    """Raise one InvalidArgsError that names the target, if there are problems."""
    if problems:
        raise InvalidArgsError(f"{type(target).__name__} of {name!r}", problems)
