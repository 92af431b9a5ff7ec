"""From a target of EventBridge to the destination that stands for it, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ops.actions.queues import QueueArn, QueueDirectory
from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.destinations.sqs import QueueMessage
from ops.actions.replay.messages import DeadLetter, carried_attributes
from ops.errors import explain

__all__ = ["Invocation", "TargetDeliveries"]


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One event for one target.

    Attributes:
        message: the dead letter.
        target: as ListTargetsByRule answers it.
        event: the event as the rule matched it.
        input: what the target gets, its Input, InputPath or InputTransformer applied.
        origin: who would have invoked it, e.g. ``events-rule/orders``.
    """

    message: DeadLetter
    target: Mapping[str, Any]
    event: Mapping[str, Any]
    input: str
    origin: str

    @property
    def arn(self) -> str:
        return str(self.target["Arn"])


class TargetDeliveries:
    """Makes deliveries for the kinds of targets that this program can send to. Safe for many threads.

    Args:
        destinations: of the run.
        directory: looks queues up.
    """

    def __init__(self, destinations: Destinations, directory: QueueDirectory) -> None:
        self._destinations = destinations
        self._directory = directory
        self._kinds: dict[str, Callable[[Invocation], Delivery | Refusal]] = {"sqs": self._to_queue}

    def delivery(self, invocation: Invocation) -> Delivery | Refusal:
        """What would reach the target, ready to be sent; or why it cannot be."""
        make = self._kinds.get(_kind(invocation.arn))
        if make is None:
            return Refusal(f"its target {invocation.arn} is of a kind that replay-dlq cannot send to")
        return make(invocation)

    def _to_queue(self, invocation: Invocation) -> Delivery | Refusal:
        arn = QueueArn.parse(invocation.arn)
        if arn is None:
            return Refusal(f"{invocation.arn} is not the ARN of a queue")
        try:
            queue = self._destinations.queue(self._directory.url_of(arn))
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, f"its target {arn.name}").message, failed=True)
        message = invocation.message
        group = (invocation.target.get("SqsParameters") or {}).get("MessageGroupId")
        payload = QueueMessage(
            body=invocation.input,
            attributes=carried_attributes({}, message.replays + 1, invocation.input),
            group=group or (message.id if queue.fifo else None),
            trace=message.system.get("AWSTraceHeader"),
        )
        return Delivery.to(queue, payload)


def _kind(arn: str) -> str:
    """The service of an ARN; for EventBridge's own with the kind of resource: ``events/event-bus``."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return ""
    return f"events/{parts[5].split('/', 1)[0]}" if parts[2] == "events" else parts[2]
