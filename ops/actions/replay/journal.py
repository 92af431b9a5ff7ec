"""The journal of one replay run: what was about to be sent, what was sent, what was deleted.

JSON lines, append-only. ``sending`` is on disk before the request leaves, so that a rerun knows which sends may have
happened; ``sent`` is in the kernel before the delete leaves (it survives SIGKILL) and on disk with the next sync. A
line that is cut off or damaged is ignored: it can only be one whose consequence had not happened yet.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

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
    """The run ended by itself and gave back what it held."""


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
        run_id: the run that first tried, whose id is in the deduplication id.
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
        held_until: as far as it knew, when an even earlier run's visibility is over, seconds since 1970.
        closed: it ended by itself, and holds nothing.
        open: message id → what is unfinished.
    """

    run_id: str = ""
    visibility_timeout_seconds: int = 0
    held_until: float = 0.0
    closed: bool = False
    open: dict[str, OpenEntry] = field(default_factory=dict)


def read_journal(path: Path) -> JournalContent:
    """Read a journal, whatever state a crash left it in."""
    content = JournalContent()
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
            kind = Record(record["record"])
        except (ValueError, TypeError, KeyError):
            continue
        _apply(content, kind, record)
    return content


def _apply(content: JournalContent, kind: Record, record: Mapping[str, Any]) -> None:
    at = float(record.get("at", 0))
    opened = content.open
    match kind:
        case Record.HEADER:
            content.run_id = str(record.get("run_id", ""))
            content.visibility_timeout_seconds = int(record.get("visibility_timeout_seconds", 0))
            content.held_until = float(record.get("held_until", 0))
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
        case Record.CLOSED:
            content.closed = True


class Journal:
    """Writes a journal. All methods may be called from many threads.

    Args:
        path: a new file; its directory exists.
        run_id: this run.
        queue_arn: the dead-letter queue.
        visibility_timeout_seconds: for how long a killed run keeps messages.
        carried: open entries of earlier runs, which this journal takes over.
        held_until: when a killed earlier run's visibility is over, seconds since 1970; 0 when none was killed.
    """

    def __init__(
        self,
        path: Path,
        run_id: str,
        queue_arn: str,
        visibility_timeout_seconds: int,
        carried: Mapping[str, OpenEntry] | None = None,
        held_until: float = 0.0,
    ) -> None:
        self.path = path
        self._open = set(carried or ())
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        self._write_lock = threading.Lock()
        self._condition = threading.Condition()
        self._written = 0
        self._durable = 0
        self._syncing = False
        self._failure: OSError | None = None
        header = {"version": VERSION, "run_id": run_id, "queue_arn": queue_arn, "pid": os.getpid()}
        timing = {"visibility_timeout_seconds": visibility_timeout_seconds, "held_until": held_until}
        self._append(Record.HEADER, **header, **timing)
        if carried:
            entries = {name: (entry.stage, entry.run_id, entry.at, entry.receipt) for name, entry in carried.items()}
            self._append(Record.CARRIED, entries=entries)
        self._sync_to(self._written)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

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
        self._sync_to(ticket)

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

    def close(self) -> None:
        """The run is over: make everything durable, and remove the file when nothing is open."""
        if self._file < 0:
            return
        try:
            with suppress(OSError):
                self._append(Record.CLOSED)
                os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = -1
        if not self._open:
            self.path.unlink(missing_ok=True)

    def _append(self, kind: Record, **fields: Any) -> int:
        line = json.dumps({"record": kind, "at": round(time.time(), 3), **fields}, separators=(",", ":")) + "\n"
        data = line.encode()
        with self._write_lock:
            if self._failure:
                raise self._failure
            try:
                while data:
                    data = data[os.write(self._file, data) :]
            except OSError as error:
                self._failure = error
                raise
            self._written += 1
            return self._written

    def _sync_to(self, ticket: int) -> None:
        """Return when line number `ticket` is on disk. One thread syncs for all that wait (group commit)."""
        with self._condition:
            while self._durable < ticket:
                if self._syncing:
                    self._condition.wait()
                    continue
                self._syncing = True
                self._condition.release()
                upto = self._written
                try:
                    os.fsync(self._file)
                finally:
                    self._condition.acquire()
                    self._syncing = False
                    self._condition.notify_all()
                self._durable = max(self._durable, upto)
