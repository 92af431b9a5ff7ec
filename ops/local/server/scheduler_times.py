"""Gap: a schedule's time zone, with its daylight saving, and the time that a run was planned for.

MiniStack keeps the zone and takes every cron and at for UTC. On AWS a time that the spring change skips is skipped, and
one that the autumn change repeats fires once (Scheduler user guide, "Daylight savings time"). A rate counts in UTC.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ministack.services import eventbridge, scheduler

from ops.local.server.background import log_once
from ops.local.server.scopes import Scope, in_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "due_at", "install"]

SEAMS = (
    "services.eventbridge._cron_next_fire",
    "services.eventbridge._invoke_target",
    "services.eventbridge._parse_cron_fields",
    "services.eventbridge._parse_rate_seconds",
    "services.scheduler._schedule_last_fired",
    "services.scheduler._schedules",
    "services.scheduler._tick_schedules",
    "services.scheduler._to_epoch",
)

logger = logging.getLogger("ops.local.server")


def due_at(expression: str, zone: ZoneInfo, after: datetime, *, fired: bool) -> datetime | None:
    """When the expression is due next, in UTC; None when never again.

    Args:
        expression: ``at(…)``, ``rate(…)`` or ``cron(…)``.
        zone: of at and cron.
        after: when it fired last, or was made.
        fired: whether it has fired; an at does so once.
    """
    text = expression.strip()
    if text.startswith("at("):
        return None if fired else _utc(datetime.fromisoformat(text[3:-1].strip()), zone)
    seconds = eventbridge._parse_rate_seconds(text)
    if seconds is not None:
        return after + timedelta(seconds=seconds)
    fields = eventbridge._parse_cron_fields(text)
    if fields is None:
        raise ValueError(f"{expression!r} is no expression of a schedule")
    wall = after.astimezone(zone).replace(tzinfo=UTC)  # the clock on the wall, as if there were no zones
    while (wall := eventbridge._cron_next_fire(fields, wall)) is not None:
        moment = _utc(wall.replace(tzinfo=None), zone)
        # In the repeated hour the wall's clock goes back to times that have fired.
        if moment is not None and moment > after:
            return moment
    return None


def _utc(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment at which the zone's clocks show this for the first time; None when they skip it."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == wall else None


def _tick() -> None:
    now = datetime.now(UTC)
    for (account_id, region, name), schedule in list(scheduler._schedules._data.items()):
        with log_once(f"schedule {name}"), in_scope(Scope(account_id, region)):
            _look((account_id, region, name), schedule, now)


def _look(key: tuple[str, str, str], schedule: dict[str, Any], now: datetime) -> None:
    fired = scheduler._schedule_last_fired
    start, end = (scheduler._to_epoch(schedule.get(name)) for name in ("StartDate", "EndDate"))
    if schedule.get("State") != "ENABLED" or (start is not None and now.timestamp() < start):
        return
    if end is not None and now.timestamp() > end:
        _complete(key, schedule)
        return
    last = fired.get(key)
    made = scheduler._to_epoch(schedule.get("LastModificationDate") or schedule.get("CreationDate"))
    after = datetime.fromtimestamp(max(filter(None, (last, made)), default=now.timestamp()), UTC)
    expression = str(schedule["ScheduleExpression"])
    zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
    due = due_at(expression, zone, after, fired=last is not None)
    if due is None or due > now:
        return
    fired[key] = now.timestamp()
    event = {
        "EventId": str(uuid.uuid4()),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": due.timestamp(),
        "Resources": [schedule.get("Arn", "")],
        "Account": key[0],
        "Region": key[1],
    }
    eventbridge._invoke_target(schedule["Target"], event, schedule)
    if expression.strip().startswith("at("):
        _complete(key, schedule)


def _complete(key: tuple[str, str, str], schedule: dict[str, Any]) -> None:
    """What ActionAfterCompletion says of a schedule that will not fire again."""
    if schedule.get("ActionAfterCompletion") == "DELETE":
        scheduler._schedules._data.pop(key, None)
        scheduler._schedule_last_fired.pop(key, None)


def install(settings: ServerSettings) -> None:
    """Look at the schedules with their zones."""
    scheduler._tick_schedules = _tick
