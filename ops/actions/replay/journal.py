"""The journal of one replay run: what was about to be sent, what was sent, what was deleted.

JSON lines, append-only. ``sending`` is on disk before the request leaves, so that a rerun knows which sends may have
happened; ``sent`` is in the kernel before the delete leaves (it survives SIGKILL) and on disk with the next sync. A
line that is cut off or damaged is ignored: it can only be one whose consequence had not happened yet.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ops.actions.replay.append_log import AppendLog

__all__ = ["VERSION", "Journal", "JournalContent", "OpenEntry", "Record", "Stage", "read_journal"]

VERSION = 1


class Record(StrEnum):
    """The ``record`` field of a line."""

    HEADER = "header"
    CARRIED = "carried"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    """The queue answered that it did not take these: as if they had never been sent."""
    DELETED = "deleted"
    CLOSED = "closed"
    """The run ended by itself and gave back what it held, or says until when it could not."""


class Stage(StrEnum):
    """How far an open message is known to have come."""

    SENDING = "sending"
    """A request left; whether the queue took it is unknown."""
    SENT = "sent"
    """The queue took it; it has not been deleted from the dead-letter queue."""


@dataclass(frozen=True)
class OpenEntry:
    """A message that a run left between send and delete.

    Attributes:
        stage: see `Stage`.
        run_id: the run that first tried, whose id is in what tells the destination that it is sent again.
        at: when, seconds since 1970.
        receipt: the receipt handle with which a killed run may still hold it.
    """

    stage: Stage
    run_id: str
    at: float
    receipt: str = ""


@dataclass
class JournalContent:
    """What a journal file says.

    Attributes:
        run_id: of the run that wrote it; empty when the header was cut off.
        visibility_timeout_seconds: for how long after its last line that run may still hold messages.
        held_until: as far as it knew, when an even earlier run's visibility is over, seconds since 1970; of a run that
            ended by itself, when the last messages that it could not give back reappear.
        closed: it ended by itself.
        open: message id → what is unfinished.
        started: when the run began, seconds since 1970.
        request: what it was asked for.
        done: messages it finished, and those that the runs it resumed had finished.
    """

    run_id: str = ""
    visibility_timeout_seconds: int = 0
    held_until: float = 0.0
    closed: bool = False
    open: dict[str, OpenEntry] = field(default_factory=dict)
    started: float = 0.0
    request: dict[str, Any] = field(default_factory=dict)
    done: int = 0


def read_journal(path: Path) -> JournalContent:
    """Read a journal, whatever state a crash left it in."""
    content = JournalContent()
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
            _apply(content, Record(record["record"]), record)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return content


def _apply(content: JournalContent, kind: Record, record: Mapping[str, Any]) -> None:
    at = float(record.get("at", 0))
    opened = content.open
    match kind:
        case Record.HEADER:
            content.run_id = str(record.get("run_id", ""))
            content.visibility_timeout_seconds = int(record.get("visibility_timeout_seconds", 0))
            content.held_until = float(record.get("held_until", 0))
            content.started = at
            content.request = dict(record.get("request") or {})
            content.done = int(record.get("done_before", 0))
        case Record.CARRIED:
            for message_id, (stage, run_id, since, receipt) in record["entries"].items():
                opened[message_id] = OpenEntry(Stage(stage), run_id, float(since), receipt)
        case Record.SENDING:
            for message_id, receipt in record["messages"].items():
                known = opened.get(message_id)
                run_id, since = (known.run_id, known.at) if known else (content.run_id, at)
                opened[message_id] = OpenEntry(Stage.SENDING, run_id, since, receipt)
        case Record.SENT:
            for message_id in record["ids"]:
                known = opened.get(message_id)
                opened[message_id] = replace(known or OpenEntry(Stage.SENT, content.run_id, at), stage=Stage.SENT)
        case Record.REFUSED | Record.DELETED:
            for message_id in record["ids"]:
                opened.pop(message_id, None)
            content.done += len(record["ids"]) if kind is Record.DELETED else 0
        case Record.CLOSED:
            content.closed = True
            content.held_until = float(record.get("held_until", 0))


class Journal:
    """Writes a journal. All methods may be called from many threads.

    Args:
        path: a new file; its directory exists.
        run_id: this run.
        queue_arn: the dead-letter queue.
        visibility_timeout_seconds: for how long a killed run keeps messages.
        carried: open entries of earlier runs, which this journal takes over.
        held_until: when a killed earlier run's visibility is over, seconds since 1970; 0 when none was killed.
        request: what this run was asked for, so that it can be resumed.
        done_before: messages that the runs which this one resumes have finished.
    """

    def __init__(
        self,
        path: Path,
        run_id: str,
        queue_arn: str,
        visibility_timeout_seconds: int,
        carried: Mapping[str, OpenEntry] | None = None,
        held_until: float = 0.0,
        request: Mapping[str, Any] | None = None,
        done_before: int = 0,
    ) -> None:
        self._open = set(carried or ())
        self._log = AppendLog(path)
        header = {"version": VERSION, "run_id": run_id, "queue_arn": queue_arn, "pid": os.getpid()}
        timing = {"visibility_timeout_seconds": visibility_timeout_seconds, "held_until": held_until}
        asked = {"request": dict(request or {}), "done_before": done_before}
        ticket = self._append(Record.HEADER, **header, **timing, **asked)
        if carried:
            entries = {name: (entry.stage, entry.run_id, entry.at, entry.receipt) for name, entry in carried.items()}
            ticket = self._append(Record.CARRIED, entries=entries)
        self._log.sync_to(ticket)

    @property
    def path(self) -> Path:
        return self._log.path

    @property
    def open_count(self) -> int:
        """Messages that were, or may have been, sent and are not known to be deleted."""
        return len(self._open)

    def sending(self, receipts: Mapping[str, str]) -> None:
        """Message id → receipt handle of what is about to be sent; returns when this is on disk.

        Raises:
            OSError: it cannot be written (a full disk): nothing may be sent then.
        """
        ticket = self._append(Record.SENDING, messages=dict(receipts))
        self._open.update(receipts)
        self._log.sync_to(ticket)

    # What has happened cannot be refused because it cannot be written: the next `sending` is.

    def sent(self, ids: Sequence[str]) -> None:
        """The destination confirmed these."""
        with suppress(OSError):
            self._append(Record.SENT, ids=ids)

    def refused(self, ids: Sequence[str]) -> None:
        """The destination answered that it did not take these."""
        with suppress(OSError):
            self._append(Record.REFUSED, ids=ids)
            self._open.difference_update(ids)

    def deleted(self, ids: Sequence[str]) -> None:
        """The dead-letter queue confirmed that these are gone."""
        with suppress(OSError):
            self._append(Record.DELETED, ids=ids)
            self._open.difference_update(ids)

    def close(self, *, held_until: float = 0.0, keep: bool = False, forget: bool = False) -> None:
        """The run is over: make everything durable, and remove the file when nothing is open.

        Args:
            held_until: when messages that could not be given back reappear, seconds since 1970; 0 when there are none.
            keep: also when nothing is open: the run can be resumed.
            forget: also when something is open: nothing is to be done about it.
        """
        if self._log.closed:
            return
        try:
            with suppress(OSError):
                self._append(Record.CLOSED, held_until=held_until)
                self._log.sync()
        finally:
            self._log.close()
        if forget or not (self._open or held_until or keep):
            self.path.unlink(missing_ok=True)

    def _append(self, kind: Record, **fields: Any) -> int:
        document = {"record": kind, "at": round(time.time(), 3), **fields}
        return self._log.append(json.dumps(document, separators=(",", ":")))
