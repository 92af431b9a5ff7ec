"""Rule: content-based routing from a bus to targets, each with a retry policy and a dead-letter queue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.errors import InvalidArgsError, InvalidNameError
from components.core.naming import check_name
from components.core.outputs import json_text
from components.core.role import create_service_role
from components.core.validation import check
from components.encryption import EncryptionKey
from components.routers.event_sources import DefaultBus
from components.routers.targets import (
    EVENTS_SERVICE,
    RETRY_RULES,
    Binding,
    ConstantInput,
    InputPath,
    InputTransformer,
    RetryPolicy,
    RuleSide,
    Target,
    TargetInput,
)
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs
from contracts import event_pattern

__all__ = ["MAX_TARGETS", "Bus", "Rule", "RuleArgs"]

MAX_TARGETS = 5
"""EventBridge quotas: "Targets per rule", which cannot be raised. With more targets the rule is made several times."""


class Bus(Protocol):
    """Whose events a rule reads: an `EventBus`, a `PartnerEventBus` or the `DefaultBus`."""

    @property
    def bus_name(self) -> pulumi.Input[str]:
        """As rules name it."""
        ...


@dataclass(frozen=True, kw_only=True)
class RuleArgs:
    """Arguments of `Rule`.

    Attributes:
        bus: whose events. **A change replaces the rule.**
        event_pattern: what matches, e.g. ``{"source": ["com.flix"], "detail": {"data": {"region": ["AU", "NZ"]}}}``.
            A text in it may be an Output, such as the name of a bucket.
        targets: one or more. The sixth and every fifth after it open another EventBridge rule with the same pattern
            (``<name>-2``, ``<name>-3``, …); append new targets at the end, then the others stay where they are.
        description: shown in the console.
        maximum_retry_attempts, maximum_event_age_seconds: see `RetryPolicy`; a target's own `retry` goes before them.
        encryption_key: customer-managed key of the dead-letter queue; default None, which is SSE-SQS.
    """

    bus: Bus
    event_pattern: Mapping[str, Any]
    targets: Sequence[Target]
    description: str | None = None
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    encryption_key: EncryptionKey | None = None


class Rule(Component):
    """Delivers each matching event to every target; what cannot be delivered goes to the rule's dead-letter queue.

    Attributes:
        arn, rule_name: of the (first) rule.
        rule: the raw (first) rule.
        rules: all raw rules: one for each five targets.
        on_default_bus: whether they read the account's default bus.
        dead_letter_queue: `DeadLetterQueue` ``<name>-undelivered``; always standard, because EventBridge refuses FIFO.
        role: what EventBridge assumes to deliver; None when no target needs one.
    """

    def __init__(self, name: str, args: RuleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._validate(args)
        self.on_default_bus = isinstance(args.bus, DefaultBus)
        groups = [args.targets[at : at + MAX_TARGETS] for at in range(0, len(args.targets), MAX_TARGETS)]
        self.rules = [self._create_rule(number, args) for number, _ in enumerate(groups, 1)]
        self.rule = self.rules[0]
        self.arn: pulumi.Output[str] = self.rule.arn
        self.rule_name: pulumi.Output[str] = self.rule.name
        self.dead_letter_queue = self._create_dead_letter_queue(args)
        bound = [
            (target, self._bind(target, rule), rule)
            for rule, group in zip(self.rules, groups, strict=True)
            for target in group
        ]
        self.role, role_policy = self._create_role([binding for _, binding, _ in bound])
        for target, binding, rule in bound:
            self._create_target(target, binding, rule, role_policy, args)
        self.publish(
            {"arn": self.arn, "rule_name": self.rule_name, "dead_letter_queue_url": self.dead_letter_queue.url}
        )

    def _validate(self, args: RuleArgs) -> None:
        where = f"Rule {self.name!r}"
        check(where, args, RETRY_RULES)
        problems = [f"event_pattern: {problem}" for problem in event_pattern.problems(_filled(args.event_pattern))]
        if not args.targets:
            problems.append("targets has 0 entries; name at least one")
        names = [target.name for target in args.targets]
        problems += [f"targets: {name!r} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
        for target in args.targets:
            try:
                check_name(target.name)
            except InvalidNameError as error:
                problems.append(f"targets: {error}")
            if target.retry is not None:
                problems += [
                    f"targets: {target.name!r}: {problem}"
                    for rule in RETRY_RULES
                    for problem in rule.problems(target.retry)
                ]
        if problems:
            raise InvalidArgsError(where, problems)

    def _create_rule(self, number: int, args: RuleArgs) -> aws.cloudwatch.EventRule:
        return aws.cloudwatch.EventRule(
            self.name if number == 1 else f"{self.name}-{number}",
            event_bus_name=args.bus.bus_name,
            event_pattern=_pattern_text(args.event_pattern),
            description=args.description,
            opts=self.child(),
        )

    def _create_dead_letter_queue(self, args: RuleArgs) -> DeadLetterQueue:
        queue = DeadLetterQueue(
            f"{self.name}-undelivered", DeadLetterQueueArgs(encryption_key=args.encryption_key), self.child()
        )
        for rule in self.rules:
            queue.accept_from(EVENTS_SERVICE, rule.arn)
        queue.refuse_redrive()
        return queue

    def _bind(self, target: Target, rule: aws.cloudwatch.EventRule) -> Binding:
        return target.bind(RuleSide(owner=self, arn=rule.arn, child_name=f"{self.name}-{target.name}"))

    def _create_role(self, bindings: Sequence[Binding]) -> tuple[aws.iam.Role | None, aws.iam.RolePolicy | None]:
        statements = [statement for binding in bindings for statement in binding.statements]
        if not statements:
            return None, None
        return create_service_role(
            self,
            f"{self.name}-delivery-role",
            service=EVENTS_SERVICE,
            statements=statements,
            description=f"Lets EventBridge deliver what the rule {self.name} matches",
        )

    def _create_target(
        self,
        target: Target,
        binding: Binding,
        rule: aws.cloudwatch.EventRule,
        role_policy: aws.iam.RolePolicy | None,
        args: RuleArgs,
    ) -> None:
        needs_role = self.role is not None and bool(binding.statements)
        retry = target.retry or RetryPolicy(
            maximum_retry_attempts=args.maximum_retry_attempts,
            maximum_event_age_seconds=args.maximum_event_age_seconds,
        )
        # An event that comes before the queues accept it, or the role may deliver it, would be lost.
        first = [*binding.depends_on, self.dead_letter_queue.policy]
        if needs_role and role_policy is not None:
            first.append(role_policy)
        aws.cloudwatch.EventTarget(
            f"{self.name}-{target.name}",
            rule=rule.name,
            event_bus_name=args.bus.bus_name,
            # The provider would make one of the resource's name, which may exceed EventBridge's 64 characters.
            target_id=target.name,
            arn=binding.arn,
            role_arn=self.role.arn if self.role is not None and needs_role else None,
            sqs_target=binding.sqs_target,
            kinesis_target=binding.kinesis_target,
            ecs_target=binding.ecs_target,
            http_target=binding.http_target,
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_retry_attempts=retry.maximum_retry_attempts,
                maximum_event_age_in_seconds=retry.maximum_event_age_seconds,
            ),
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=self.dead_letter_queue.arn),
            opts=self.child(depends_on=first),
            **_input(target.input),
        )


def _filled(pattern: Any) -> Any:
    """The pattern with a text where an Output will be: its shape can be checked now."""
    if isinstance(pattern, pulumi.Output):
        return "known-later"
    if isinstance(pattern, Mapping):
        return {key: _filled(value) for key, value in pattern.items()}
    return [_filled(value) for value in pattern] if isinstance(pattern, list) else pattern


def _pattern_text(pattern: Mapping[str, Any]) -> pulumi.Input[str]:
    if _filled(pattern) == pattern:
        return json.dumps(pattern, separators=(",", ":"))
    return json_text(pattern, compact=True)


def _input(value: TargetInput | None) -> dict[str, Any]:
    """The one of EventTarget's three input properties that says this."""
    match value:
        case ConstantInput():
            return {"input": json.dumps(value.value)}
        case InputPath():
            return {"input_path": value.path}
        case InputTransformer():
            return {
                "input_transformer": aws.cloudwatch.EventTargetInputTransformerArgs(
                    input_template=value.template, input_paths=dict(value.paths) or None
                )
            }
        case None:
            return {}
