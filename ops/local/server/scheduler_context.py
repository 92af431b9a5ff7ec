"""Gap: context attributes in a schedule's input, and schedules that fire in time.

MiniStack hands a target its input as it is written, and looks at the schedules every ten seconds. Deliveries of a
schedule go through the same pipeline as a rule's: retries, dead-letter queues, ECS targets.
See https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, scheduler

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install", "with_context"]

SEAMS = ("services.eventbridge._invoke_target", "services.scheduler._SCHEDULE_TICK_INTERVAL")

_TICK_SECONDS = 1


def with_context(target: dict[str, Any], schedule_arn: str, at: datetime, execution_id: str) -> dict[str, Any]:
    """The target with the attributes of one execution in its input."""
    values = {
        "schedule-arn": schedule_arn,
        "scheduled-time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": execution_id,
        "attempt-number": "1",
    }
    text = str(target["Input"])
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return {**target, "Input": text}


def install(settings: ServerSettings) -> None:
    """Fill in the attributes before a schedule's delivery."""
    invoke = eventbridge._invoke_target

    def filled(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *rest: Any, **more: Any) -> Any:
        arn = str(rule.get("Arn", ""))
        if ":scheduler:" in arn and target.get("Input"):
            target = with_context(target, arn, datetime.fromtimestamp(float(event["Time"]), UTC), str(uuid.uuid4()))
        return invoke(target, event, rule, *rest, **more)

    eventbridge._invoke_target = filled
    scheduler._SCHEDULE_TICK_INTERVAL = _TICK_SECONDS
