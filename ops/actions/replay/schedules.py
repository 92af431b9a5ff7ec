"""Runs that EventBridge Scheduler could not start: the schedule's target is invoked as Scheduler would have done."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

from contracts.messages import EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME, TARGET_ARN
from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.destinations.targets import Invocation, TargetDeliveries
from ops.actions.replay.messages import DeadLetter
from ops.errors import explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["Schedules", "is_unstarted_run"]

_SCHEDULE = re.compile(
    r"^arn:aws[a-z-]*:scheduler:(?P<region>[a-z0-9-]+):\d{12}:schedule/(?P<group>[^/]+)/(?P<name>[^/]+)$"
)


def is_unstarted_run(message: DeadLetter) -> bool:
    """True for a message that Scheduler put here itself, because it could not invoke a target."""
    return "DeadLetterQueueSourceArn" not in message.system and all(
        message.text_attribute(name) for name in (SCHEDULE_ARN, TARGET_ARN)
    )


class Schedules:
    """Reads each schedule once. Safe for many threads.

    What the target gets is the schedule's input as it is now, with the context attributes of the run that failed.

    Args:
        aws: makes the client of the schedule's region.
        deliveries: makes what a target gets.
    """

    def __init__(self, aws: Aws, deliveries: TargetDeliveries) -> None:
        self._aws = aws
        self._deliveries = deliveries
        self._targets: dict[str, dict[str, Any] | Refusal] = {}
        self._lock = threading.Lock()

    def resolve(self, message: DeadLetter) -> Delivery | Refusal | None:
        """The invocation that failed, or why it cannot be repeated; None for a message of another kind."""
        if not is_unstarted_run(message):
            return None
        arn = message.text_attribute(SCHEDULE_ARN) or ""
        target = self._target_of(arn)
        if isinstance(target, Refusal):
            return target
        if target["Arn"] != message.text_attribute(TARGET_ARN):
            return Refusal(f"the schedule {arn} has another target now: {target['Arn']}")
        text = _with_context(str(target.get("Input") or "{}"), arn, message)
        name = arn.rsplit("/", 1)[-1]
        event: dict[str, Any] = {}
        if own := target.get("EventBridgeParameters"):
            try:
                event = {"source": own["Source"], "detail-type": own["DetailType"], "detail": json.loads(text)}
            except ValueError as error:
                return Refusal(f"the input of the schedule {name} is not JSON ({error})")
            target = {key: value for key, value in target.items() if key != "Input"}
        return self._deliveries.delivery(
            Invocation(message=message, target=target, event=event, input=text, origin=f"chronos-schedule/{name}")
        )

    def _target_of(self, arn: str) -> dict[str, Any] | Refusal:
        with self._lock:
            if arn not in self._targets:
                self._targets[arn] = self._read(arn)
            return self._targets[arn]

    def _read(self, arn: str) -> dict[str, Any] | Refusal:
        schedule = _SCHEDULE.match(arn)
        if not schedule:
            return Refusal(f"{arn!r} is not the ARN of a schedule")
        try:
            client = self._aws.client("scheduler", schedule["region"])
            found: dict[str, Any] = client.get_schedule(GroupName=schedule["group"], Name=schedule["name"])["Target"]
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, f"reading the schedule {schedule['name']}").message, failed=True)
        return found


def _with_context(text: str, arn: str, message: DeadLetter) -> str:
    """The input with ``<aws.scheduler.…>`` filled in, as the run that failed would have had it."""
    retries = message.text_attribute("RETRY_ATTEMPTS") or ""
    values = {
        "schedule-arn": arn,
        "scheduled-time": message.text_attribute(SCHEDULED_TIME) or "",
        "execution-id": message.text_attribute(EXECUTION_ID) or "",
        "attempt-number": str(int(retries) + 2 if retries.isdecimal() else 1),
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text
