"""From a target of EventBridge to the destination that stands for it, and what it gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ops.actions.queues import QueueArn, QueueDirectory
from ops.actions.replay.destinations.api_destination import api_call
from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.destinations.ecs_task import run_task_request
from ops.actions.replay.destinations.event_bus import bus_entry
from ops.actions.replay.destinations.kinesis import StreamRecord
from ops.actions.replay.destinations.log_group import LogLine
from ops.actions.replay.destinations.sqs import QueueMessage
from ops.actions.replay.input_transformer import TransformError, as_text, resolve_path
from ops.actions.replay.messages import DeadLetter, carried_attributes
from ops.errors import explain

__all__ = ["Invocation", "TargetDeliveries"]


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One event for one target.

    Attributes:
        message: the dead letter.
        target: as ListTargetsByRule, or GetSchedule, answers it.
        event: the event as the rule matched it; what a schedule puts on a bus.
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

    @property
    def transformed(self) -> bool:
        """Whether the target says what it gets; otherwise it is the event."""
        return any(self.target.get(name) is not None for name in ("Input", "InputPath", "InputTransformer"))


class TargetDeliveries:
    """Makes deliveries for the kinds of targets that this program can send to. Safe for many threads.

    Args:
        destinations: of the run.
        directory: looks queues up.
    """

    def __init__(self, destinations: Destinations, directory: QueueDirectory) -> None:
        self._destinations = destinations
        self._directory = directory
        self._kinds: dict[str, Callable[[Invocation], Delivery | Refusal]] = {
            "ecs": self._to_cluster,
            "events/api-destination": self._to_api_destination,
            "events/event-bus": self._to_bus,
            "kinesis": self._to_stream,
            "lambda": self._to_function,
            "logs": self._to_log_group,
            "sns": self._to_topic,
            "sqs": self._to_queue,
            "states": self._to_state_machine,
        }

    def delivery(self, invocation: Invocation) -> Delivery | Refusal:
        """What would reach the target, ready to be sent; or why it cannot be."""
        make = self._kinds.get(_kind(invocation.arn))
        if make is None:
            return Refusal(f"its target {invocation.arn} is of a kind that replay-dlq cannot send to")
        try:
            return make(invocation)
        except TransformError as error:
            return Refusal(f"the rule's target cannot be read ({error})")

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

    def _to_topic(self, invocation: Invocation) -> Delivery | Refusal:
        return Delivery.to(self._destinations.topic(invocation.arn), invocation.input)

    def _to_stream(self, invocation: Invocation) -> Delivery | Refusal:
        parameters = invocation.target.get("KinesisParameters") or {}
        path = parameters.get("PartitionKeyPath")
        key = as_text(resolve_path(path, invocation.event)) if path else str(invocation.event.get("id") or "")
        key = str(parameters.get("PartitionKey") or key)  # a schedule's is a constant
        if not key:
            return Refusal(f"the event has nothing at {path or '$.id'}, which is the partition key of its target")
        return Delivery.to(self._destinations.stream(invocation.arn), StreamRecord(invocation.input.encode(), key))

    def _to_state_machine(self, invocation: Invocation) -> Delivery | Refusal:
        return Delivery.to(self._destinations.state_machine(invocation.arn), invocation.input)

    def _to_cluster(self, invocation: Invocation) -> Delivery | Refusal:
        overrides: Any = None
        if invocation.transformed:
            try:
                overrides = json.loads(invocation.input)
            except ValueError as error:
                return Refusal(f"the target's input is no TaskOverride document ({error})")
            if not isinstance(overrides, dict):
                return Refusal(f"the target's input is no TaskOverride document: {invocation.input:.80}")
        parameters = invocation.target.get("EcsParameters") or {}
        if not parameters.get("TaskDefinitionArn"):
            return Refusal(f"its target {invocation.arn} names no task definition")
        request = run_task_request(invocation.arn, parameters, overrides, invocation.origin)
        return Delivery.to(self._destinations.cluster(invocation.arn), request)

    def _to_function(self, invocation: Invocation) -> Delivery | Refusal:
        return Delivery.to(self._destinations.function(invocation.arn), invocation.input)

    def _to_log_group(self, invocation: Invocation) -> Delivery | Refusal:
        return Delivery.to(self._destinations.log_group(invocation.arn), LogLine.from_input(invocation.input))

    def _to_bus(self, invocation: Invocation) -> Delivery | Refusal:
        event = invocation.event
        if str(event.get("source", "")).startswith("aws."):
            return Refusal(f"it is an event of AWS ({event['source']}), which only AWS may put on a bus")
        if invocation.transformed:
            return Refusal("the rule rewrites what it sends to another bus, which PutEvents cannot repeat")
        detail = json.dumps(event.get("detail"), ensure_ascii=False)
        return Delivery.to(self._destinations.bus(invocation.arn), bus_entry(invocation.arn, event, detail))

    def _to_api_destination(self, invocation: Invocation) -> Delivery | Refusal:
        destination = self._destinations.api_destination(invocation.arn)
        if isinstance(destination, Refusal):
            return destination
        parameters = invocation.target.get("HttpParameters") or {}
        return Delivery.to(destination, api_call(invocation.input, parameters, invocation.event))


def _kind(arn: str) -> str:
    """The service of an ARN; for EventBridge's own with the kind of resource: ``events/event-bus``."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return ""
    return f"events/{parts[5].split('/', 1)[0]}" if parts[2] == "events" else parts[2]
