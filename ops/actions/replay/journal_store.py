"""Where journals live, which of them are unfinished, and the lock that keeps one run per dead-letter queue."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.actions.replay.journal import Journal, OpenEntry, Stage, read_journal
from ops.errors import OpsError

__all__ = ["RETENTION_SECONDS", "Inheritance", "JournalStore", "state_directory"]

_COPY = ".copy.jsonl"

RETENTION_SECONDS = 14 * 24 * 3600
"""SQS keeps no message longer, so an entry this old is about a message that is gone."""


def state_directory(environment: Mapping[str, str]) -> Path:
    """`EDA_STATE_DIR`, or ``$XDG_STATE_HOME/eda``, or ``~/.local/state/eda``; journals are in its ``replay`` folder."""
    if own := environment.get("EDA_STATE_DIR"):
        return Path(own)
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "eda"


@dataclass
class Inheritance:
    """What earlier runs of the same queue left unfinished.

    Attributes:
        open: message id → entry, the furthest stage of all journals.
        held_until: when what a killed run held, or another could not give back, reappears, seconds since 1970; or 0.
        files: the journals this was read from.
        done: run id → messages that it, and those it resumed, had finished.
    """

    open: dict[str, OpenEntry] = field(default_factory=dict)
    held_until: float = 0.0
    files: list[Path] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)


class JournalStore:
    """The journals of one dead-letter queue.

    Args:
        directory: the ``replay`` folder of the state directory; made when missing.
        queue_arn: the dead-letter queue.
        endpoint: tells apart queues of equal ARN on endpoints that are not AWS; empty for AWS.
    """

    def __init__(self, directory: Path, queue_arn: str, endpoint: str = "") -> None:
        name = queue_arn.rsplit(":", 1)[-1]
        digest = hashlib.sha256(f"{queue_arn}|{endpoint}".encode()).hexdigest()[:16]
        self.directory = directory / f"{name}-{digest}"
        self._queue_arn = queue_arn

    @contextmanager
    def locked(self, run_id: str) -> Iterator[None]:
        """Hold the queue's lock; the kernel gives it back however the process ends.

        Raises:
            OpsError: another run of this machine holds it (and says who), or the folder cannot be written.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise OpsError(
                f"the journal folder {self.directory} cannot be written ({error.strerror})",
                "name another with --journal-dir or EDA_STATE_DIR; without a journal nothing is sent",
            ) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OpsError(
                    f"another replay of {self._queue_arn} is running: {_holder(handle)}",
                    "wait for it, or stop it (Ctrl-C there gives everything back)",
                ) from None
            os.ftruncate(handle, 0)
            holder = {"pid": os.getpid(), "run_id": run_id, "since": time.strftime("%H:%M:%S")}
            os.pwrite(handle, json.dumps(holder).encode(), 0)
            yield
        finally:
            os.close(handle)

    def inherit(self, *, copy: bool = False, to: str | None = None) -> Inheritance:
        """Read every journal that is still here: a finished run without open entries removed its own.

        What was moved and what was copied are different things: a message that was copied must not be deleted, and
        one that was copied elsewhere must be copied here.

        Args:
            copy: take over unfinished copies instead of unfinished moves.
            to: with `copy`, only those to this destination (None: each to its own origin).
        """
        inheritance = Inheritance()
        oldest = time.time() - RETENTION_SECONDS
        for path in sorted(self.directory.glob("*.jsonl")):
            content = read_journal(path)
            modified = path.stat().st_mtime
            killed_until = 0.0 if content.closed else modified + content.visibility_timeout_seconds
            inheritance.held_until = max(inheritance.held_until, content.held_until, killed_until)
            if modified < oldest:
                inheritance.files.append(path)
                continue
            if path.name.endswith(_COPY) != copy or (copy and content.request.get("to") != to):
                continue
            inheritance.files.append(path)
            inheritance.done[content.run_id] = content.done
            for message_id, entry in content.open.items():
                known = inheritance.open.get(message_id)
                if entry.at > oldest and (known is None or known.stage is Stage.SENDING):
                    inheritance.open[message_id] = entry
        return inheritance

    def start(
        self,
        run_id: str,
        visibility_timeout_seconds: int,
        inheritance: Inheritance,
        *,
        copy: bool = False,
        request: Mapping[str, Any] | None = None,
        resumes: str = "",
    ) -> Journal:
        """A new journal that takes over the open entries; the old files are removed once it is on disk.

        Args:
            run_id: the new run.
            visibility_timeout_seconds: for how long it may hold messages after it was killed.
            inheritance: what `inherit` read.
            copy: it copies, and does not delete.
            request: what it was asked for, so that it can be resumed.
            resumes: the run that it goes on with.
        """
        journal = Journal(
            self.directory / f"{run_id}{_COPY if copy else '.jsonl'}",
            run_id,
            self._queue_arn,
            visibility_timeout_seconds,
            inheritance.open,
            inheritance.held_until,
            request,
            inheritance.done.get(resumes, 0),
        )
        for old in inheritance.files:
            old.unlink(missing_ok=True)
        return journal


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f"process {holder['pid']}, since {holder['since']}, run {holder['run_id']}"
    except (ValueError, KeyError, OSError):
        return "a process that has just started"
