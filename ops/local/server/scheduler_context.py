"""Gap: context attributes in a schedule's input, and schedules that fire in time.

MiniStack hands a target its input as it is written, looks at the schedules every ten seconds, and never fires a
schedule that was changed to a time (``at``) after it had been seen once. Deliveries of a schedule go through the same
pipeline as a rule's: retries, dead-letter queues, ECS targets.
See https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, scheduler

from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install", "with_context"]

SEAMS = (
    "services.eventbridge._invoke_target",
    "services.scheduler._SCHEDULE_TICK_INTERVAL",
    "services.scheduler._schedule_last_fired",
    "services.scheduler._schedules",
    "services.scheduler._update_schedule",
)

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
            target = with_context(target, arn, datetime.fromtimestamp(float(event["Time"]), UTC), str(event["EventId"]))
        return invoke(target, event, rule, *rest, **more)

    update = scheduler._update_schedule

    def updated(name: str, body: dict[str, Any]) -> Any:
        key = f"{body.get('GroupName', 'default')}/{name}"
        before = scheduler._schedules.get(key)
        answer = update(name, body)
        after = scheduler._schedules.get(key)
        if before and after and before["ScheduleExpression"] != after["ScheduleExpression"]:
            _start_anew((*current_scope(), key), after["ScheduleExpression"])
        return answer

    eventbridge._invoke_target = filled
    scheduler._update_schedule = updated
    scheduler._SCHEDULE_TICK_INTERVAL = _TICK_SECONDS


def _start_anew(state_key: tuple[str, str, str], expression: str) -> None:
    """A new expression has not fired yet: ``at`` may, ``rate`` and ``cron`` count from now."""
    if expression.startswith("at("):
        scheduler._schedule_last_fired.pop(state_key, None)
    else:
        scheduler._schedule_last_fired[state_key] = time.time()
