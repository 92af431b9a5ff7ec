"""Turns the options of `ops replay-dlq` into what is asked of a replay, and refuses what makes no sense."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.actions.replay.selection import Selection

__all__ = ["check_backup", "check_ranges", "parse_selection", "refuse_beside_resume"]


def parse_selection(where: str | None, ids: Sequence[str] | None, since: str | None, until: str | None) -> Selection:
    """The filters.

    Raises:
        UsageError: an expression or a time that is none, an empty id, or an end before the begin.
    """
    from ops.actions.replay.selection import Selection
    from ops.times import parse_time

    now = datetime.datetime.now(datetime.UTC)
    if any(not one.strip() for one in ids or ()):
        raise UsageError("--id: an empty message id", "`ops peek-dlq --messages` shows the ids")
    return Selection(
        where=where,
        ids=frozenset(ids or ()),
        since=parse_time(since, now) if since is not None else None,
        until=parse_time(until, now) if until is not None else None,
    )


def check_backup(path: Path | None) -> None:
    """Refuse a backup file before anything is touched.

    Raises:
        UsageError: it exists, or its folder does not.
    """
    if path is None:
        return
    if path.exists():
        raise UsageError(f"--backup {path}: the file exists, and is not overwritten", "name another file")
    if not path.parent.is_dir():
        raise UsageError(f"--backup {path}: the folder {path.parent} does not exist", "make it, or name another file")


def check_ranges(
    *,
    rate: float | None,
    ramp_up: float,
    max_messages: int | None,
    max_replays: int | None,
    max_failures: int | None,
    concurrency: int,
) -> None:
    """Raises UsageError for a number out of its range."""
    if rate is not None and not (rate > 0 and math.isfinite(rate)):
        raise UsageError(f"--rate {rate:g}: must be over 0 messages a second")
    if not (ramp_up >= 0 and math.isfinite(ramp_up)):
        raise UsageError(f"--ramp-up {ramp_up:g}: must be 0 seconds or more")
    for name, value in (("max", max_messages), ("max-replays", max_replays), ("max-failures", max_failures)):
        if value is not None and value < 1:
            raise UsageError(f"--{name} {value}: must be 1 or more")
    if not 1 <= concurrency <= 256:
        raise UsageError(f"--concurrency {concurrency}: must be 1 to 256")


def refuse_beside_resume(**given: object) -> None:
    """Refuse what the resumed run decides.

    Args:
        given: option → its value; None, False and an empty list mean that it was not given.

    Raises:
        UsageError: one was given.
    """
    for name, value in given.items():
        if value is not None and value is not False and value != []:
            shown = "a pattern's name" if name == "name" else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"--resume goes on with what that run was asked for; {shown} does not go with it",
                "start a new run without --resume: it deletes what was already sent, too",
            )
