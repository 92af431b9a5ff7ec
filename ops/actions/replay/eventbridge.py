"""Events that EventBridge could not deliver: which target they belong to, and what that target would have got."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.messages import ERROR_CODE, RULE_ARN, TARGET_ARN
from ops.actions.queues import QueueArn
from ops.actions.replay.input_transformer import TransformError, target_input
from ops.actions.replay.messages import DeadLetter
from ops.errors import explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["EventTargets", "TargetDelivery", "is_undelivered_event"]

_RULE = re.compile(r"^arn:aws[a-z-]*:events:(?P<region>[a-z0-9-]+):\d{12}:rule/(?:(?P<bus>[^:]+)/)?(?P<name>[^/:]+)$")


def is_undelivered_event(message: DeadLetter) -> bool:
    """True for a message that EventBridge put here itself, because it could not deliver it."""
    # A queue that SQS redrove it from means that a consumer had it: then it belongs in that queue.
    return "DeadLetterQueueSourceArn" not in message.system and all(
        message.text_attribute(name) for name in (RULE_ARN, TARGET_ARN, ERROR_CODE)
    )


@dataclass(frozen=True)
class TargetDelivery:
    """What the target gets: `body` into the queue `queue_arn`, with MessageGroupId `group` on a FIFO queue."""

    queue_arn: str
    body: str
    group: str | None


class EventTargets:
    """Reads the targets of each rule once. Safe for many threads.

    Args:
        aws: makes the client of the rule's region.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._targets: dict[str, list[Any] | str] = {}
        self._lock = threading.Lock()

    def resolve(self, message: DeadLetter) -> TargetDelivery | str:
        """The delivery that failed, or the reason why it cannot be repeated."""
        rule_arn = message.text_attribute(RULE_ARN) or ""
        target_arn = message.text_attribute(TARGET_ARN) or ""
        targets = self._of_rule(rule_arn)
        if isinstance(targets, str):
            return targets
        matching = [target for target in targets if target["Arn"] == target_arn]
        if not matching:
            return f"the rule {rule_arn} no longer has the target {target_arn}"
        if QueueArn.parse(target_arn) is None:
            return f"its target {target_arn} is not an SQS queue, and replay-dlq sends to queues only"
        try:
            event = json.loads(message.body)
            results = {
                (target_input(target, event, rule_arn), (target.get("SqsParameters") or {}).get("MessageGroupId"))
                for target in matching
            }
        except (ValueError, TypeError, AttributeError) as error:
            kind = "the rule's input transformation" if isinstance(error, TransformError) else "the event"
            return f"{kind} cannot be read ({error})"
        if len(results) > 1:
            return f"the rule {rule_arn} has {len(matching)} targets {target_arn} with different inputs"
        body, group = results.pop()
        return TargetDelivery(target_arn, body, group)

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
