"""What the tasks print, each line behind the name of its task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from ops.local.errors import LocalError
from ops.local.home import Home

__all__ = ["SERVER", "log_lines"]

SERVER = "server"
"""The name under which the embedded AWS's own log is shown; it is left out otherwise."""
_POLL_SECONDS = 0.1


class _Tail:
    """One file: gives the complete lines that were added since the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def read(self, *, everything: bool) -> Iterator[str]:
        """`everything` also gives a last line that has no end yet."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        end = len(data) if everything else data.rfind(b"\n") + 1
        self._offset += end
        yield from data[:end].decode(errors="replace").splitlines()


def log_lines(home: Home, name: str | None, *, follow: bool) -> Iterator[tuple[str, str]]:
    """Pairs of task and line.

    Args:
        home: whose logs.
        name: only tasks whose service, family or id contains this; ``server`` is the embedded AWS itself.
        follow: go on for ever with what comes, also from tasks that start later.

    Raises:
        LocalError: nothing has this name (and nothing is to be followed).
    """
    tails: dict[Path, _Tail] = {}
    while True:
        found = _files(home, name)
        if not found and not follow:
            raise LocalError(_nothing(home, name))
        for path in found:
            tail = tails.setdefault(path, _Tail(path))
            for line in tail.read(everything=not follow):
                yield path.stem, line
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _files(home: Home, name: str | None) -> list[Path]:
    if name == SERVER:
        return [home.server_log] if home.server_log.exists() else []
    files = [path for path in home.logs.glob("*.log") if name is None or name in path.stem]
    return sorted(files, key=lambda path: path.stat().st_mtime)


def _nothing(home: Home, name: str | None) -> str:
    if name is None:
        return "no task has printed anything yet; send it something with: ops local demo"
    known = sorted({path.stem for path in home.logs.glob("*.log")})
    return f"no log's name contains {name!r}; there are: {', '.join([*known, SERVER])}"
