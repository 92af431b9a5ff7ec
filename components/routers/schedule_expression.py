"""What EventBridge Scheduler takes as a schedule, checked before anything is deployed."""

from __future__ import annotations

import re
import zoneinfo
from datetime import datetime

__all__ = ["expression_problem", "time_zone_problem"]

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_FIELD = re.compile(r"[0-9A-Za-z*?,/#LW-]+")
_ALLOWED = "allowed: cron(minute hour day-of-month month day-of-week year), rate(5 minutes) or at(2026-12-24T18:00:00)"


def expression_problem(expression: str) -> str | None:
    """What is wrong about the expression, or None (EventBridge Scheduler user guide, "Schedule types")."""
    if match := _RATE.fullmatch(expression):
        return None if int(match[1]) >= 1 else f"is {expression!r}; a rate is at least 1"
    if match := _AT.fullmatch(expression):
        try:
            datetime.fromisoformat(match[1])
        except ValueError as error:
            return f"is {expression!r}: {error}"
        return None
    if match := _CRON.fullmatch(expression):
        return _cron_problem(expression, match[1].split())
    return f"is {expression!r}; {_ALLOWED}"


def _cron_problem(expression: str, fields: list[str]) -> str | None:
    if len(fields) != 6:
        return f"is {expression!r}, which has {len(fields)} fields; {_ALLOWED}"
    if bad := [field for field in fields if not _FIELD.fullmatch(field)]:
        return f"is {expression!r}: {bad[0]!r} is no cron field"
    if (fields[2] == "?") == (fields[4] == "?"):
        return f"is {expression!r}: exactly one of day-of-month and day-of-week is '?', e.g. cron(0 8 ? * MON-FRI *)"
    return None


def time_zone_problem(time_zone: str) -> str | None:
    """What is wrong about the name of the time zone, or None."""
    if time_zone in zoneinfo.available_timezones():
        return None
    return f"is {time_zone!r}; allowed is a name of the IANA time zone database, e.g. Australia/Melbourne or UTC"
