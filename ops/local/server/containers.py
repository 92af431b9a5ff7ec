"""Containers as local processes: the part of docker-py's interface that MiniStack's ECS uses.

A container is one process group. It ends with its main process, as a container does: what is left of the group is
killed. The exit code is Docker's: 128 + signal number for a process that a signal ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from ops.local.server.background import log_once, start_thread
from ops.local.server.task_records import ProcessRecord, TaskRecord, remove_record, write_record

__all__ = ["ContainerLaunch", "ContainerNotFoundError", "ContainerRegistry", "ProcessContainer"]

INHERITED = ("PATH", "HOME", "LANG")
"""All that a container gets from the server's own environment."""
_KILL_WAIT_SECONDS = 5.0


class ContainerNotFoundError(LookupError):
    """No such container; docker-py's ``NotFound``."""


@dataclass(frozen=True, kw_only=True)
class ContainerLaunch:
    """What to start.

    Attributes
    ----------
    command:
        The whole command line.
    stop_timeout_seconds:
        Real seconds between SIGTERM and SIGKILL; ECS allows 2 to 120 on Fargate, default 30.
    log_file:
        Where stdout and stderr go.
    ip_address:
        The task's own loopback address.
    """

    task_arn: str
    name: str
    image: str
    command: list[str]
    environment: Mapping[str, str]
    working_directory: Path | None
    stop_timeout_seconds: float
    log_file: Path
    ip_address: str
    labels: Mapping[str, str] = field(default_factory=dict)


class ProcessContainer:
    """A running or ended container."""

    def __init__(self, launch: ContainerLaunch) -> None:
        self.launch = launch
        self.id = uuid.uuid4().hex * 2
        self.name = launch.name
        self.labels = dict(launch.labels)
        self.removed = False
        self._created_at = datetime.now(UTC)
        self._finished_at: datetime | None = None
        self._exited = threading.Event()
        self._signal_lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._listeners_lock = threading.Lock()
        launch.log_file.parent.mkdir(parents=True, exist_ok=True)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with launch.log_file.open("ab", buffering=0) as log:
            self._process = subprocess.Popen(
                launch.command,
                cwd=launch.working_directory,
                env={**inherited, **launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        try:
            self.create_time = psutil.Process(self.pid).create_time()
        except psutil.Error:  # it ended before it could be looked at
            self.create_time = time.time()
        start_thread(self._wait_for_exit, name=f"container-{launch.name}-{self.pid}")

    @property
    def status(self) -> str:
        """``running`` or ``exited``, as docker-py says it."""
        return "exited" if self._exited.is_set() else "running"

    @property
    def exit_code(self) -> int | None:
        """Docker's exit code; None while it runs."""
        code = self._process.returncode
        if not self._exited.is_set() or code is None:
            return None
        return 128 - code if code < 0 else code

    @property
    def attrs(self) -> dict[str, Any]:
        """The parts of `docker inspect` that MiniStack reads."""
        return {
            "Id": self.id,
            "Created": self._created_at.isoformat(),
            "Labels": self.labels,
            "State": {
                "Status": self.status,
                "ExitCode": self.exit_code or 0,
                "FinishedAt": self._finished_at.isoformat() if self._finished_at else "",
            },
            "NetworkSettings": {"Networks": {"local": {"IPAddress": self.launch.ip_address}}},
        }

    @property
    def record(self) -> ProcessRecord:
        """What the sweep needs to find this process."""
        return ProcessRecord(self.name, self.pid, self.create_time)

    def reload(self) -> None:
        """Nothing to refresh: the status is always current."""

    def on_exit(self, listener: Callable[[], None]) -> None:
        """Call `listener` once, when the container has ended; at once if it already has."""
        with self._listeners_lock:
            if not self._exited.is_set():
                self._listeners.append(listener)
                return
        listener()

    def wait(self, timeout: float | None = None) -> dict[str, int]:
        """Block until it has ended; raises `TimeoutError` after `timeout` seconds."""
        if not self._exited.wait(timeout):
            raise TimeoutError(f"container {self.name} (pid {self.pid}) still runs after {timeout} s")
        return {"StatusCode": self.exit_code or 0}

    def stop(self, timeout: float | None = None) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds (default: the container's stop timeout); returns when ended."""
        self.send_signal(signal.SIGTERM)
        grace = self.launch.stop_timeout_seconds if timeout is None else timeout
        if not self._exited.wait(grace):
            self.kill()
            self._exited.wait(_KILL_WAIT_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, signal_number: int) -> None:
        """Signal the process group; nothing happens when the container has ended."""
        with self._signal_lock:
            if not self._exited.is_set():
                self._signal_group(signal_number)

    def remove(self, v: bool = False, force: bool = False) -> None:
        """Kill what still runs, and forget the container (the arguments are docker-py's and change nothing)."""
        self.kill()
        self.removed = True

    def logs(self, stream: bool = False, follow: bool = False, tail: int | None = None, **_ignored: Any) -> Any:
        """The output so far as bytes; with ``stream`` an iterator of whole lines, ending with the container."""
        if stream and follow:
            return self._follow()
        lines = self.launch.log_file.read_bytes().splitlines(keepends=True)
        return b"".join(lines[-tail:] if tail else lines)

    def _follow(self) -> Iterator[bytes]:
        pause = 0.05
        pending = b""
        with self.launch.log_file.open("rb") as log:
            while True:
                ended = self._exited.is_set()
                chunk = log.read()
                complete, newline, pending = (pending + chunk).rpartition(b"\n")
                if newline:
                    yield complete + newline
                if not chunk and ended:
                    break
                # An idle container is looked at twice a second, a busy one twenty times.
                pause = 0.05 if chunk else min(0.5, pause * 1.5)
                self._exited.wait(pause)
        if pending:
            yield pending

    def _wait_for_exit(self) -> None:
        self._process.wait()
        with self._signal_lock:
            self._signal_group(signal.SIGKILL)
            self._finished_at = datetime.now(UTC)
            with self._listeners_lock:
                self._exited.set()
                listeners = list(self._listeners)
        for listener in listeners:
            with log_once(f"exit listener of {self.name}"):
                listener()

    def _signal_group(self, signal_number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal_number)


class ContainerRegistry:
    """All containers of this server, and their records on disk."""

    def __init__(self, tasks_directory: Path) -> None:
        self._tasks_directory = tasks_directory
        self._containers: dict[str, ProcessContainer] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(self, launch: ContainerLaunch) -> ProcessContainer:
        """Start a container and put its process on record. Raises `OSError` when the command cannot be started."""
        if self._closed:
            raise OSError("the server is stopping; no container is started")
        container = ProcessContainer(launch)
        with self._lock:
            self._containers[container.id] = container
            self._write(launch.task_arn)
        container.on_exit(lambda: self._ended(launch.task_arn))
        if self._closed:
            container.kill()
        return container

    def get(self, container_id: str) -> ProcessContainer:
        """The container with this id; raises `ContainerNotFoundError`."""
        for container in self.all():
            if container.id == container_id:
                return container
        raise ContainerNotFoundError(container_id)

    def all(self) -> list[ProcessContainer]:
        """Every container that has not been removed, ended ones included."""
        with self._lock:
            for container in [found for found in self._containers.values() if found.removed]:
                del self._containers[container.id]
            return list(self._containers.values())

    def of_task(self, task_arn: str) -> list[ProcessContainer]:
        """The containers of one task, in the order of their start."""
        return [container for container in self.all() if container.launch.task_arn == task_arn]

    def stop_all(self, grace_seconds: float) -> None:
        """End everything: SIGTERM to all at once, SIGKILL to what is left after `grace_seconds`; start no more."""
        self._closed = True
        running = [container for container in self.all() if container.status == "running"]
        for container in running:
            container.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        for container in running:
            with contextlib.suppress(TimeoutError):
                container.wait(max(0.0, deadline - time.monotonic()))
        for container in running:
            container.kill()
        for container in running:
            with contextlib.suppress(TimeoutError):
                container.wait(_KILL_WAIT_SECONDS)
        # The threads that take them off the record may come too late: the process ends now.
        for task_arn in {container.launch.task_arn for container in running}:
            self._ended(task_arn)

    def _ended(self, task_arn: str) -> None:
        with self._lock:
            self._write(task_arn)

    def _write(self, task_arn: str) -> None:
        running = tuple(
            container.record
            for container in self._containers.values()
            if container.launch.task_arn == task_arn and container.status == "running"
        )
        if running:
            write_record(self._tasks_directory, TaskRecord(task_arn, running))
        else:
            remove_record(self._tasks_directory, task_arn)
