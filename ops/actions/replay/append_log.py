"""A file that only grows, whose lines are on disk when their writer is told so."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

__all__ = ["AppendLog"]


class AppendLog:
    """Lines, appended whole. All methods may be called from many threads.

    A line feed stands before a line, not behind it: so a line that the disk had no room for ends where the next one
    begins, and writers need no lock. (Under one, each would wait for the interpreter while it holds it, and all the
    others for it.)

    Args:
        path: a new file; its directory exists.
        existing: append to a file that is there; a last line that was cut off is ended.

    Raises:
        OSError: it cannot be made, or exists already (FileExistsError).
    """

    def __init__(self, path: Path, *, existing: bool = False) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_APPEND | (0 if existing else os.O_CREAT | os.O_EXCL)
        self._file = os.open(path, flags, 0o600)
        self._count_lock = threading.Lock()
        self._condition = threading.Condition()
        self._written = 0
        self._durable = 0
        self._syncing = False
        self._failure: OSError | None = None
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")
        self._begin_lock = threading.Lock()
        self._begun = False
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
        if self._failure:
            raise self._failure
        data = line.encode()
        if not self._begun:
            with self._begin_lock:
                if not self._begun:  # the only line that has nothing to end
                    self._write(data)
                    self._begun = True
                    return self._count()
        self._write(b"\n" + data)
        return self._count()

    def _write(self, data: bytes) -> None:
        try:
            # One request: with O_APPEND the kernel lets no other write in between.
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._failure = error
            raise

    def _count(self) -> int:
        with self._count_lock:
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
        """End the last line."""
        if self._file >= 0:
            if self._begun:
                with suppress(OSError):
                    os.write(self._file, b"\n")
            os.close(self._file)
            self._file = -1
