"""The folder of one checkout's local environment, and what is written down about the server that runs in it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ops.local.errors import LocalError

__all__ = ["DEFAULT_PORT", "PORT_VARIABLE", "Home", "State", "find_root"]

DEFAULT_PORT = 4566
PORT_VARIABLE = "EDA_LOCAL_PORT"
_PROJECT_FILE = "Pulumi.yaml"


@dataclass(frozen=True, kw_only=True)
class State:
    """The server of one home.

    Attributes:
        pid, create_time: which process it is; the two together are never reused.
        port: on 127.0.0.1.
        started: RFC 3339, UTC.
        auth: whether it enforces identity policies.
        fingerprint: of the program that is deployed; empty until a deployment has succeeded.
        stack, region: of that deployment.
        resources: type token → how many were created.
        outputs: the stack's outputs.
    """

    pid: int
    create_time: float
    port: int
    started: str
    auth: bool = False
    fingerprint: str = ""
    stack: str = "local"
    region: str = ""
    resources: Mapping[str, int] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def deployed(self, *, fingerprint: str, deployment: Mapping[str, Any]) -> State:
        """This server with a deployment, as ``python -m ops.local.deployer`` printed it."""
        return replace(
            self,
            fingerprint=fingerprint,
            region=deployment["region"],
            resources=deployment["resources"],
            outputs=deployment["outputs"],
        )


class Home:
    """``.local/`` of the checkout in `root`: everything the local environment writes is below it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.path = self.root / ".local"
        self.state_file = self.path / "state.json"
        self.server_log = self.path / "server.log"
        self.images = self.path / "images.json"
        self.logs = self.path / "logs"

    def read(self) -> State | None:
        """What was written last; None when nothing was, or when it cannot be read any more."""
        try:
            return State(**json.loads(self.state_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, state: State) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        draft = self.state_file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(state), indent=2))
        os.replace(draft, self.state_file)

    def forget(self) -> None:
        """No server runs here any more. Logs stay, to be read."""
        self.state_file.unlink(missing_ok=True)

    def clear(self) -> None:
        """Empty the folder for a new server. Only what the environment itself wrote is in it."""
        if not self.path.exists():
            return
        for entry in self.path.iterdir():
            if entry == self._lock_file:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one command at a time may start or stop the server of this home.

        Raises:
            LocalError: another one is at it; names its process.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with self._lock_file.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise LocalError(
                    f"another `ops local` command (process {holder}) is starting or stopping the environment in "
                    f"{self.path}; wait for it to end"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                lock.truncate(0)


def find_root(start: Path) -> Path:
    """The project's folder: `start` or the nearest one above it that has a ``Pulumi.yaml``."""
    for folder in (start, *start.parents):
        if (folder / _PROJECT_FILE).is_file():
            return folder
    raise LocalError(f"no {_PROJECT_FILE} in {start} or above it; run this in the project's folder")
