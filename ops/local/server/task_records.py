"""Records of the running tasks' processes, and the sweep that ends what a killed server left behind.

Every task has ``<home>/tasks/<task id>.json`` while it runs. This module does not import MiniStack: `ops local down`
uses it when the server is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

__all__ = ["ProcessRecord", "TaskRecord", "read_records", "remove_record", "sweep", "write_record"]

_SAME_PROCESS_SECONDS = 2.0
"""psutil adds the boot time, in whole seconds, which moves by one when the clock is adjusted."""


@dataclass(frozen=True)
class ProcessRecord:
    """One container's process: the leader of its own process group."""

    container: str
    pid: int
    create_time: float

    def is_running(self) -> bool:
        """Whether this very process runs: the same pid with another creation time is somebody else's."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _SAME_PROCESS_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@dataclass(frozen=True)
class TaskRecord:
    """One task and its containers' processes."""

    task_arn: str
    containers: tuple[ProcessRecord, ...]

    @property
    def task_id(self) -> str:
        """The last part of the ARN."""
        return self.task_arn.rsplit("/", 1)[-1]


def write_record(directory: Path, record: TaskRecord) -> None:
    """Write (atomically) the record of a running task; ``pid`` and ``create_time`` are its first container's."""
    directory.mkdir(parents=True, exist_ok=True)
    first = record.containers[0]
    document = {
        "task_arn": record.task_arn,
        "pid": first.pid,
        "create_time": first.create_time,
        "containers": [asdict(container) for container in record.containers],
    }
    target = directory / f"{record.task_id}.json"
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(document, indent=1), encoding="utf-8")
    draft.replace(target)


def remove_record(directory: Path, task_arn: str) -> None:
    """Forget a task that has ended."""
    (directory / f"{task_arn.rsplit('/', 1)[-1]}.json").unlink(missing_ok=True)


def read_records(directory: Path) -> list[TaskRecord]:
    """The records of all running tasks; a file that is half written or not ours is passed over."""
    records = []
    for file in sorted(directory.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            records.append(_parse(json.loads(file.read_text(encoding="utf-8"))))
    return records


def sweep(home: Path, *, grace_seconds: float = 3.0) -> int:
    """End every task process that is on record below `home` and remove the records.

    SIGTERM to each process group, SIGKILL to what is left after `grace_seconds`. A process whose creation time is
    not the recorded one is left alone.

    Returns
    -------
    int
        How many processes were running.
    """
    directory = home / "tasks"
    records = read_records(directory)
    running = [container for record in records for container in record.containers if container.is_running()]
    for container in running:
        _signal_group(container, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(container.is_running() for container in running):
        time.sleep(0.05)
    for container in running:
        if container.is_running():
            _signal_group(container, signal.SIGKILL)
    for record in records:
        remove_record(directory, record.task_arn)
    return len(running)


def _signal_group(container: ProcessRecord, signal_number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(container.pid, signal_number)


def _parse(document: dict[str, Any]) -> TaskRecord:
    containers = tuple(
        ProcessRecord(str(entry["container"]), int(entry["pid"]), float(entry["create_time"]))
        for entry in document["containers"]
    )
    return TaskRecord(str(document["task_arn"]), containers)
