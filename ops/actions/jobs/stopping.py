"""Stop a job, and record who did and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts import job_table
from contracts.job_table import Job
from contracts.jobs import JobState, never_launched
from ops.actions.jobs.creating import caller_arn
from ops.actions.jobs.reading import FoundJob, read_job
from ops.errors import explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["stop_job"]

_MAX_REASON = 255
"""Characters of StopTask's reason that ECS keeps in an event, safely (ECS allows 1,024 in the API)."""


def stop_job(aws: Aws, found: FoundJob, reason: str) -> Job:
    """Ask for the end; the record as it is then. An ended job stays as it is.

    Raises:
        OpsError: AWS refuses.
    """
    job = found.job
    if job.state.final:
        return job
    by = caller_arn(aws)
    try:
        _conditionally(aws, found, job_table.note_stop(job.job_id, by=by, reason=reason, now=datetime.now(UTC)))
        if job.task_arn is None:
            # Whoever is about to launch it finds this, and stops the task again.
            end = never_launched(JobState.STOPPED, f"{reason} ({by})", datetime.now(UTC))
            retention = found.jobs.retention_days
            _conditionally(aws, found, job_table.advance(job.job_id, end, retention_days=retention))
            job = read_job(aws, found.pattern, job.job_id) or job
        if job.task_arn is not None and not job.state.final:
            assert found.pattern.task is not None
            aws.ecs().stop_task(
                cluster=found.pattern.task.cluster, task=job.task_arn, reason=f"{reason} ({by})"[:_MAX_REASON]
            )
    except Exception as error:
        raise explain(error, f"stopping job {job.job_id}") from error
    return read_job(aws, found.pattern, job.job_id) or job


def _conditionally(aws: Aws, found: FoundJob, request: dict[str, Any]) -> bool:
    client = aws.dynamodb()
    try:
        client.update_item(TableName=found.jobs.table, **request)
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True
