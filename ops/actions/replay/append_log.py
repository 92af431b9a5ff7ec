"""A file that only grows, whose lines are on disk when their writer is told so."""

from __future__ import annotations

import os
import threading
from pathlib import Path

__all__ = ["AppendLog"]


class AppendLog:
    """Lines, appended whole. All methods may be called from many threads.

    Args:
        path: a new file; its directory exists.
        existing: append to a file that is there; a last line that was cut off is ended first.

    Raises:
        OSError: it cannot be made, or exists already (FileExistsError).
    """

    def __init__(self, path: Path, *, existing: bool = False) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_APPEND | (0 if existing else os.O_CREAT | os.O_EXCL)
        self._file = os.open(path, flags, 0o600)
        self._write_lock = threading.Lock()
        self._condition = threading.Condition()
        self._written = 0
        self._durable = 0
        self._syncing = False
        self._failure: OSError | None = None
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self.append("")
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def append(self, line: str) -> int:
        """Write a line; returns its ticket for `sync_to`. It survives SIGKILL now, and a power cut once it is synced.

        Raises:
            OSError: it cannot be written; nor can any later line.
        """
        data = line.encode() + b"\n"
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

    def sync_to(self, ticket: int) -> None:
        """Return when the line of this ticket is on disk. One thread syncs for all that wait (group commit)."""
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

    def sync(self) -> None:
        """Everything that is written is on disk."""
        os.fsync(self._file)

    @property
    def closed(self) -> bool:
        return self._file < 0

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
