"""The table of jobs: what an item holds, and the requests that change it. DynamoDB's own JSON, no SDK.

Key ``job_id``; TTL attribute ``expires_at``; the index `STATE_INDEX` answers "which jobs are FAILED since two o'clock".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.jobs import JobState, Progress, timestamp

__all__ = [
    "EXPIRES_AT",
    "JOB_ID",
    "STATE",
    "STATE_INDEX",
    "STATE_INDEX_SORT",
    "Job",
    "advance",
    "job_from",
    "new_item",
    "note_launch_failure",
    "note_stop",
]

JOB_ID: Final = "job_id"
STATE: Final = "state"
STATE_INDEX: Final = "by-state"
"""Global secondary index: ``state``, then ``created_at``; all attributes."""
STATE_INDEX_SORT: Final = "created_at"
EXPIRES_AT: Final = "expires_at"


@dataclass(frozen=True, kw_only=True)
class Job:
    """A record as it is read.

    Attributes:
        job_id, pattern: which.
        state: see `JobState`.
        rank: of the report that the state is from; 0 before the first one.
        created_at, updated_at: RFC 3339 in UTC.
        request: the validated request: ``environment`` and ``data``.
        requested_by: ARN of the caller; None where it is not known.
        task_arn, started_at, stopped_at, stop_code, reason, exit_codes, container_reasons: see `Progress`.
        launch_attempts: calls of RunTask that started nothing.
        launch_error: why the last of them did not.
        stop_requested_by, stop_requested_at, stop_reason: who stopped it, when and why; None if nobody did.
        expires_at: seconds since the epoch when DynamoDB may remove it; None while it is not final.
    """

    job_id: str
    pattern: str
    state: JobState
    rank: int
    created_at: str
    updated_at: str
    request: Mapping[str, Any]
    requested_by: str | None = None
    task_arn: str | None = None
    started_at: str | None = None
    stopped_at: str | None = None
    stop_code: str | None = None
    reason: str | None = None
    exit_codes: Mapping[str, int] = field(default_factory=dict)
    container_reasons: Mapping[str, str] = field(default_factory=dict)
    launch_attempts: int = 0
    launch_error: str | None = None
    stop_requested_by: str | None = None
    stop_requested_at: str | None = None
    stop_reason: str | None = None
    expires_at: int | None = None


def new_item(
    job_id: str, pattern: str, request: Mapping[str, Any], *, requested_by: str | None, now: datetime
) -> dict[str, Any]:
    """The item of a job that is about to be launched."""
    item: dict[str, Any] = {
        JOB_ID: {"S": job_id},
        "pattern": {"S": pattern},
        STATE: {"S": JobState.SUBMITTED.value},
        "rank": {"N": "0"},
        "created_at": {"S": timestamp(now)},
        "updated_at": {"S": timestamp(now)},
        "request": {"S": json.dumps(request, sort_keys=True, ensure_ascii=False)},
    }
    return item | ({"requested_by": {"S": requested_by}} if requested_by else {})


def advance(job_id: str, progress: Progress, *, retention_days: int) -> dict[str, Any]:
    """UpdateItem's arguments (without the table): write the report unless a higher one is there, or no such job is.

    The condition is `contracts.jobs.latest`; whoever meets ConditionalCheckFailedException has nothing to do.
    """
    values: dict[str, Any] = {
        STATE: {"S": progress.state.value},
        "rank": {"N": str(progress.rank)},
        "updated_at": {"S": progress.at},
    }
    for name in ("task_arn", "started_at", "stopped_at", "stop_code", "reason"):
        if value := getattr(progress, name):
            values[name] = {"S": value}
    if progress.exit_codes:
        values["exit_codes"] = {"M": {name: {"N": str(code)} for name, code in progress.exit_codes.items()}}
    if progress.container_reasons:
        values["container_reasons"] = {"M": {name: {"S": text} for name, text in progress.container_reasons.items()}}
    if progress.state.final:
        ended = datetime.fromisoformat(progress.stopped_at or progress.at)
        values[EXPIRES_AT] = {"N": str(int((ended + timedelta(days=retention_days)).timestamp()))}
    absent = [name for name in _REPORTED if name not in values]
    request = _update(job_id, values, absent)
    request["ConditionExpression"] = f"attribute_exists({JOB_ID}) AND #rank < :rank"
    return request


_REPORTED = (
    "task_arn",
    "started_at",
    "stopped_at",
    "stop_code",
    "reason",
    "exit_codes",
    "container_reasons",
    EXPIRES_AT,
)
"""What a report replaces as a whole; a value of an earlier one must not outlive it."""


def note_launch_failure(job_id: str, error: str) -> dict[str, Any]:
    """UpdateItem's arguments: RunTask has started nothing, and will be tried again."""
    return {
        "Key": {JOB_ID: {"S": job_id}},
        "UpdateExpression": "SET launch_error = :error ADD launch_attempts :one",
        "ConditionExpression": f"attribute_exists({JOB_ID})",
        "ExpressionAttributeValues": {":error": {"S": error[:1000]}, ":one": {"N": "1"}},
    }


def note_stop(job_id: str, *, by: str, reason: str, now: datetime) -> dict[str, Any]:
    """UpdateItem's arguments: who asks for the end, when and why. The first one's name stays."""
    values = {"stop_requested_by": by, "stop_requested_at": timestamp(now), "stop_reason": reason}
    request = _update(job_id, {name: {"S": text} for name, text in values.items()}, [])
    request["ConditionExpression"] = f"attribute_exists({JOB_ID}) AND attribute_not_exists(stop_requested_by)"
    return request


def job_from(item: Mapping[str, Any]) -> Job:
    """The record in an item.

    Raises:
        KeyError, ValueError: the item is none of this table's.
    """

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    return Job(
        job_id=item[JOB_ID]["S"],
        pattern=item["pattern"]["S"],
        state=JobState(item[STATE]["S"]),
        rank=int(item["rank"]["N"]),
        created_at=item["created_at"]["S"],
        updated_at=item["updated_at"]["S"],
        request=json.loads(item["request"]["S"]),
        requested_by=text("requested_by"),
        task_arn=text("task_arn"),
        started_at=text("started_at"),
        stopped_at=text("stopped_at"),
        stop_code=text("stop_code"),
        reason=text("reason"),
        exit_codes={name: int(code["N"]) for name, code in item.get("exit_codes", {"M": {}})["M"].items()},
        container_reasons={name: why["S"] for name, why in item.get("container_reasons", {"M": {}})["M"].items()},
        launch_attempts=int(item["launch_attempts"]["N"]) if "launch_attempts" in item else 0,
        launch_error=text("launch_error"),
        stop_requested_by=text("stop_requested_by"),
        stop_requested_at=text("stop_requested_at"),
        stop_reason=text("stop_reason"),
        expires_at=int(item[EXPIRES_AT]["N"]) if EXPIRES_AT in item else None,
    )


def _update(job_id: str, values: Mapping[str, Any], absent: list[str]) -> dict[str, Any]:
    sets = ", ".join(f"#{name} = :{name}" for name in values)
    removes = f" REMOVE {', '.join(f'#{name}' for name in absent)}" if absent else ""
    return {
        "Key": {JOB_ID: {"S": job_id}},
        "UpdateExpression": f"SET {sets}{removes}",
        "ExpressionAttributeNames": {f"#{name}": name for name in (*values, *absent)},
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }
