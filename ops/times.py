"""Times on a command line."""

from __future__ import annotations

import datetime
import re

from ops.errors import UsageError

__all__ = ["parse_time"]

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now: datetime.datetime) -> datetime.datetime:
    """``2026-11-20T10:00Z`` (UTC unless it says otherwise), or ``90m``, ``24h``, ``7d`` before `now`.

    Raises:
        UsageError: neither of the two.
    """
    try:
        if match := _AGO.fullmatch(text):
            return now - datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})
        parsed = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time", "write 2026-11-20T10:00Z, or how long ago: 90m, 24h, 7d") from None
    return parsed.replace(tzinfo=parsed.tzinfo or datetime.UTC)
