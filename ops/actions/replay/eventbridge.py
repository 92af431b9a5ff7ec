"""Events that EventBridge could not deliver: which target they belong to, and what that target would have got."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

from contracts.messages import ERROR_CODE, RULE_ARN, TARGET_ARN
from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.destinations.targets import Invocation, TargetDeliveries
from ops.actions.replay.input_transformer import TransformError, target_input
from ops.actions.replay.messages import DeadLetter
from ops.errors import explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["EventTargets", "is_undelivered_event"]

_RULE = re.compile(r"^arn:aws[a-z-]*:events:(?P<region>[a-z0-9-]+):\d{12}:rule/(?:(?P<bus>[^:]+)/)?(?P<name>[^/:]+)$")


def is_undelivered_event(message: DeadLetter) -> bool:
    """True for a message that EventBridge put here itself, because it could not deliver it."""
    # A queue that SQS redrove it from means that a consumer had it: then it belongs in that queue.
    return "DeadLetterQueueSourceArn" not in message.system and all(
        message.text_attribute(name) for name in (RULE_ARN, TARGET_ARN, ERROR_CODE)
    )


class EventTargets:
    """Reads the targets of each rule once. Safe for many threads.

    Args:
        aws: makes the client of the rule's region.
        deliveries: makes what a target gets.
    """

    def __init__(self, aws: Aws, deliveries: TargetDeliveries) -> None:
        self._aws = aws
        self._deliveries = deliveries
        self._targets: dict[str, list[Any] | str] = {}
        self._lock = threading.Lock()

    def resolve(self, message: DeadLetter) -> Delivery | Refusal | None:
        """The delivery that failed, or why it cannot be repeated; None for a message of another kind."""
        if not is_undelivered_event(message):
            return None
        rule_arn = message.text_attribute(RULE_ARN) or ""
        target_arn = message.text_attribute(TARGET_ARN) or ""
        targets = self._of_rule(rule_arn)
        if isinstance(targets, str):
            return Refusal(targets)
        matching = [target for target in targets if target["Arn"] == target_arn]
        if not matching:
            return Refusal(f"the rule {rule_arn} no longer has the target {target_arn}")
        deliveries: list[Delivery] = []
        for target in matching:
            invocation = _invocation(message, target, rule_arn)
            if isinstance(invocation, Refusal):
                return invocation
            delivery = self._deliveries.delivery(invocation)
            if isinstance(delivery, Refusal):
                return delivery
            if delivery not in deliveries:
                deliveries.append(delivery)
        if len(deliveries) > 1:
            # EventBridge names the failed target by its ARN only.
            return Refusal(f"the rule {rule_arn} has {len(matching)} targets {target_arn} with different inputs")
        return deliveries[0]

    def _of_rule(self, rule_arn: str) -> list[Any] | str:
        with self._lock:
            if rule_arn not in self._targets:
                self._targets[rule_arn] = self._read(rule_arn)
            return self._targets[rule_arn]

    def _read(self, rule_arn: str) -> list[Any] | str:
        rule = _RULE.match(rule_arn)
        if not rule:
            return f"{rule_arn!r} is not the ARN of an EventBridge rule"
        try:
            pages = (
                self._aws.events(rule["region"])
                .get_paginator("list_targets_by_rule")
                .paginate(Rule=rule["name"], EventBusName=rule["bus"] or "default")
            )
            return [target for page in pages for target in page["Targets"]]
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return explain(error, f"reading the targets of rule {rule['name']}").message


def _invocation(message: DeadLetter, target: Any, rule_arn: str) -> Invocation | Refusal:
    try:
        event = json.loads(message.body)
        if not isinstance(event, dict):
            raise TypeError("it is no JSON object")
        text = target_input(target, event, rule_arn)
    except (ValueError, TypeError, AttributeError) as error:
        kind = "the rule's input transformation" if isinstance(error, TransformError) else "the event"
        return Refusal(f"{kind} cannot be read ({error})")
    return Invocation(
        message=message, target=target, event=event, input=text, origin=f"events-rule/{rule_arn.rsplit('/', 1)[-1]}"
    )
