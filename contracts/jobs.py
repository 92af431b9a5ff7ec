"""A tracked job: an ECS task that somebody started on purpose, and what is known of it.

Reports about a job come twice, late and in any order: from whoever launched it, from ECS's events, from a look at the
task, from whoever stopped it. Each is a `Progress` with a rank, and the one with the highest rank is the truth. A job's
record therefore ends the same whatever the order was (`latest` is commutative, associative and idempotent).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

__all__ = [
    "FINAL_RANK",
    "JobState",
    "Progress",
    "job_of",
    "latest",
    "never_launched",
    "progress_of_task",
    "started_by",
    "started_by_prefix",
    "timestamp",
]

FINAL_RANK = 10**12
"""Added to the rank of a final report: no report of a task that still runs outranks it, however late it comes."""


class JobState(StrEnum):
    """A job moves down this list and never up; the last three are final."""

    SUBMITTED = "SUBMITTED"
    """Recorded; RunTask has not answered."""
    STARTING = "STARTING"
    """ECS accepted the task (PROVISIONING, PENDING, ACTIVATING)."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    """DEACTIVATING, STOPPING, DEPROVISIONING."""
    SUCCEEDED = "SUCCEEDED"
    """Stopped, and its container exited 0."""
    FAILED = "FAILED"
    """Stopped for any other reason, or never launched."""
    STOPPED = "STOPPED"
    """Stopped because somebody asked for it."""

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPED)


_STATES = {
    "PROVISIONING": JobState.STARTING,
    "PENDING": JobState.STARTING,
    "ACTIVATING": JobState.STARTING,
    "RUNNING": JobState.RUNNING,
    "DEACTIVATING": JobState.STOPPING,
    "STOPPING": JobState.STOPPING,
    "DEPROVISIONING": JobState.STOPPING,
}
"""ECS developer guide, "Task lifecycle"; STOPPED is decided by its causes."""

_USER_INITIATED = "UserInitiated"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What one report says of a job. Everything in it belongs together: a later report replaces all of it.

    Attributes:
        rank: the version that ECS gives the task's state; `FINAL_RANK` more when the state is final.
        state: of the job.
        at: when that was so, RFC 3339 in UTC.
        task_arn: None when there is no task.
        started_at, stopped_at: of the task; None until then.
        stop_code, reason: why it stopped (``stopCode``, ``stoppedReason``), or why it was never launched.
        exit_codes: container → exit code; without a container that never ran.
        container_reasons: container → what ECS says of it, e.g. ``OutOfMemoryError``.
    """

    rank: int
    state: JobState
    at: str
    task_arn: str | None = None
    started_at: str | None = None
    stopped_at: str | None = None
    stop_code: str | None = None
    reason: str | None = None
    exit_codes: Mapping[str, int] = field(default_factory=dict)
    container_reasons: Mapping[str, str] = field(default_factory=dict)


def latest(one: Progress, other: Progress) -> Progress:
    """The one that is true. Two of the same rank are two copies of one report."""
    return other if other.rank > one.rank else one


def progress_of_task(task: Mapping[str, Any], container: str) -> Progress:
    """What a task's description says: an event's ``detail``, or an entry of RunTask, StopTask or DescribeTasks.

    Args:
        task: with ``version``, ``lastStatus`` and so on.
        container: whose exit code is the job's; others are side-cars, which may end as they like.

    Raises:
        KeyError, ValueError: it is not the description of a task.
    """
    status, version = str(task["lastStatus"]), int(task["version"])
    containers = [item for item in task.get("containers") or [] if item.get("name")]
    exit_codes = {item["name"]: int(item["exitCode"]) for item in containers if item.get("exitCode") is not None}
    stop_code = task.get("stopCode") or None
    final = status == "STOPPED"
    if final:
        state = _end(stop_code, exit_codes.get(container))
    elif status in _STATES:
        state = _STATES[status]
    else:
        raise ValueError(f"lastStatus is {status!r}; known are {', '.join(_STATES)} and STOPPED")
    return Progress(
        rank=version + (FINAL_RANK if final else 0),
        state=state,
        at=timestamp(task.get("updatedAt") or _newest(task)),
        task_arn=str(task["taskArn"]),
        started_at=_optional(task.get("startedAt")),
        stopped_at=_optional(task.get("stoppedAt")),
        stop_code=stop_code,
        reason=task.get("stoppedReason") or None,
        exit_codes=exit_codes,
        container_reasons={item["name"]: str(item["reason"]) for item in containers if item.get("reason")},
    )


def never_launched(state: JobState, reason: str, at: datetime) -> Progress:
    """The end of a job without a task. If there was a task after all, the task's own end outranks this."""
    return Progress(rank=FINAL_RANK, state=state, at=timestamp(at), stopped_at=timestamp(at), reason=reason)


def started_by_prefix(pattern: str) -> str:
    """What ``startedBy`` of a pattern's jobs begins with."""
    return f"job/{pattern}/"


def started_by(pattern: str, job_id: str) -> str:
    """RunTask's ``startedBy``: the task's events, and ListTasks, lead back to the job. At most 128 characters."""
    return started_by_prefix(pattern) + job_id


def job_of(pattern: str, task: Mapping[str, Any]) -> str | None:
    """The id of the job that a task was started for; None for a task that is none of this pattern's jobs."""
    given, prefix = str(task.get("startedBy") or ""), started_by_prefix(pattern)
    return given.removeprefix(prefix) or None if given.startswith(prefix) else None


def timestamp(moment: datetime | str) -> str:
    """RFC 3339 in UTC with milliseconds: texts that sort by time."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _end(stop_code: str | None, exit_code: int | None) -> JobState:
    if stop_code == _USER_INITIATED:
        return JobState.STOPPED
    return JobState.SUCCEEDED if exit_code == 0 else JobState.FAILED


def _newest(task: Mapping[str, Any]) -> datetime | str:
    """DescribeTasks does not say when it last changed; these are the changes that it dates."""
    names = (
        "stoppedAt",
        "executionStoppedAt",
        "stoppingAt",
        "startedAt",
        "pullStoppedAt",
        "pullStartedAt",
        "createdAt",
    )
    for name in names:
        if moment := task.get(name):
            found: datetime | str = moment
            return found
    raise KeyError("createdAt")


def _optional(moment: datetime | str | None) -> str | None:
    return timestamp(moment) if moment else None
