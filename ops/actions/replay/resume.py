"""Runs that did not end by themselves: which there are, and what each was asked for."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ops.actions.replay.journal import JournalContent, Stage, read_journal
from ops.actions.replay.options import ReplayOptions
from ops.actions.replay.selection import Selection
from ops.errors import UsageError

__all__ = ["Request", "UnfinishedRun", "request_of", "resumed", "unfinished_run", "unfinished_runs"]

Request = Mapping[str, Any]
"""What a run was asked for, as its journal keeps it."""


@dataclass(frozen=True, kw_only=True)
class UnfinishedRun:
    """A run whose journal is still there: it was killed, or stopped, or left something between send and delete.

    Attributes:
        run_id: for `--resume`.
        queue: the dead-letter queue's name.
        started: RFC 3339, UTC.
        ended: ``stopped`` by itself, or ``killed`` (or still running).
        moved: messages it had finished.
        sent: of the others, those it had sent and not deleted.
        unknown: those of which nobody knows whether they were sent.
        held_seconds: for so long a killed run still keeps messages invisible.
        request: what it was asked for.
    """

    run_id: str
    queue: str
    started: str
    ended: str
    moved: int
    sent: int
    unknown: int
    held_seconds: int
    request: Request


def unfinished_runs(directory: Path) -> list[UnfinishedRun]:
    """All that can be resumed, the newest first; `directory` is the folder of the journals."""
    found = [_read(path) for path in directory.glob("*/*.jsonl")]
    return sorted((run for run in found if run), key=lambda run: run.run_id, reverse=True)


def unfinished_run(directory: Path, run_id: str) -> UnfinishedRun:
    """The run with this id.

    Raises:
        UsageError: there is none, or it was written by a version that did not keep what it was asked for.
    """
    for run in unfinished_runs(directory):
        if run.run_id == run_id:
            return run
    raise UsageError(
        f"--resume {run_id}: no unfinished run has this id in {directory}",
        "`ops replay-dlq --list-runs` shows those that can be resumed; a later run of a queue takes over earlier ones",
    )


def request_of(options: ReplayOptions, dlq_url: str, manifest_origin: str | None, done_before: int) -> dict[str, Any]:
    """What the journal keeps; `done_before` messages of `--max` were moved by the runs that this one resumes."""
    chosen = options.selection
    return {
        "dlq_url": dlq_url,
        "manifest_origin": manifest_origin,
        "to": options.to,
        "where": chosen.where,
        "ids": sorted(chosen.ids),
        "since": chosen.since.isoformat() if chosen.since else None,
        "until": chosen.until.isoformat() if chosen.until else None,
        "max": None if options.max_messages is None else options.max_messages + done_before,
        "rate": options.rate,
        "ramp_up_seconds": options.ramp_up_seconds,
        "max_replays": options.max_replays,
        "max_failures": options.max_failures,
        "edit": options.edit,
        "copy": options.copy,
        "backup": str(options.backup.resolve()) if options.backup else None,
    }


def resumed(run: UnfinishedRun, options: ReplayOptions) -> ReplayOptions:
    """`options` with what the run was asked for; a rate, and limits that are set, stay as they are.

    Raises:
        UsageError: everything that it was asked for has been moved, or its backup is gone.
    """
    asked = run.request
    most = asked["max"]
    if most is not None and most <= run.moved:
        raise UsageError(f"--resume {run.run_id}: its {most} messages (--max) have all been moved")
    backup = Path(asked["backup"]) if asked["backup"] else None
    if backup and not backup.exists():
        raise UsageError(f"--resume {run.run_id}: its backup {backup} is gone", "start a new run with a new --backup")
    selection = Selection(
        where=asked["where"],
        ids=frozenset(asked["ids"]),
        since=datetime.fromisoformat(asked["since"]) if asked["since"] else None,
        until=datetime.fromisoformat(asked["until"]) if asked["until"] else None,
    )
    return dataclasses.replace(
        options,
        to=asked["to"],
        selection=selection,
        max_messages=None if most is None else most - run.moved,
        rate=options.rate if options.rate is not None else asked["rate"],
        ramp_up_seconds=options.ramp_up_seconds or asked["ramp_up_seconds"],
        max_replays=options.max_replays if options.max_replays is not None else asked["max_replays"],
        max_failures=options.max_failures if options.max_failures is not None else asked["max_failures"],
        edit=asked["edit"],
        copy=asked["copy"],
        backup=backup,
        resumes=run.run_id,
    )


def _read(path: Path) -> UnfinishedRun | None:
    try:
        content = read_journal(path)
        modified = path.stat().st_mtime
    except OSError:
        return None  # another run has just taken it over
    if not content.run_id or not content.request:
        return None
    return _describe(content, modified)


def _describe(content: JournalContent, modified: float) -> UnfinishedRun:
    held = 0.0 if content.closed else modified + content.visibility_timeout_seconds - time.time()
    sent = sum(entry.stage is Stage.SENT for entry in content.open.values())
    return UnfinishedRun(
        run_id=content.run_id,
        queue=str(content.request["dlq_url"]).rsplit("/", 1)[-1],
        started=datetime.fromtimestamp(content.started, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        ended="stopped" if content.closed else "killed",
        moved=content.done,
        sent=sent,
        unknown=len(content.open) - sent,
        held_seconds=max(0, round(held)),
        request=content.request,
    )
