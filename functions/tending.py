"""Look after the jobs that nobody else will: not launched, or with an end that no event told of.

A crash between the record and RunTask is healed by the caller's repetition, and without one by this. An event that did
not come, or waits in a dead-letter queue, is made up for by DescribeTasks, which knows a stopped task for an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from contracts.job_table import Job
from contracts.jobs import JobState, never_launched, progress_of_task
from functions.launching import Launch, Launcher
from functions.settings import JobSettings
from functions.store import JobStore

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

__all__ = ["Tended", "tend"]

_YOUNG_SECONDS = 30
"""Whoever created a younger job may still be launching it."""
_DESCRIBED_AT_ONCE = 100
"""ECS API reference, DescribeTasks: "up to 100 task IDs"."""

logger = logging.getLogger(__name__)


@dataclass
class Tended:
    """What a tick found and did.

    Attributes:
        oldest_unlaunched, oldest_unfinished: ages in seconds, 0 without any.
        launched, given_up, advanced: jobs.
        complete: whether there was time for all of them.
    """

    oldest_unlaunched: float = 0.0
    oldest_unfinished: float = 0.0
    launched: int = 0
    given_up: int = 0
    advanced: int = 0
    complete: bool = True


def tend(
    ecs: ECSClient,
    store: JobStore,
    launcher: Launcher,
    jobs: JobSettings,
    *,
    patience_seconds: int,
    in_time: Callable[[], bool],
    now: datetime | None = None,
) -> Tended:
    """One round. What `in_time` leaves no time for is the next round's."""
    now = now or datetime.now(UTC)
    tended = Tended()
    for job in store.in_state(JobState.SUBMITTED, before=now):
        age = (now - datetime.fromisoformat(job.created_at)).total_seconds()
        tended.oldest_unlaunched = max(tended.oldest_unlaunched, age)
        if age < _YOUNG_SECONDS:
            continue
        if not in_time():
            tended.complete = False
            break
        _launch(store, launcher, job, tended, out_of_patience=age > patience_seconds)
    tended.oldest_unfinished = tended.oldest_unlaunched
    for state in (JobState.STARTING, JobState.RUNNING, JobState.STOPPING):
        found = list(store.in_state(state, before=now - timedelta(seconds=_YOUNG_SECONDS)))
        for job in found:
            age = (now - datetime.fromisoformat(job.created_at)).total_seconds()
            tended.oldest_unfinished = max(tended.oldest_unfinished, age)
        for start in range(0, len(found), _DESCRIBED_AT_ONCE):
            if not in_time():
                tended.complete = False
                break
            _look(ecs, store, jobs, found[start : start + _DESCRIBED_AT_ONCE], tended)
    return tended


def _launch(store: JobStore, launcher: Launcher, job: Job, tended: Tended, *, out_of_patience: bool) -> None:
    current = store.get(job.job_id)  # the index is a moment behind
    if current is None or current.state is not JobState.SUBMITTED:
        return
    if launcher.find(current):
        tended.launched += 1
        return
    if out_of_patience:
        launcher.give_up(current, f"no task could be started in time; last: {current.launch_error or 'never tried'}")
        tended.given_up += 1
        return
    outcome = launcher.launch(current, attempts=1)
    tended.launched += outcome is Launch.LAUNCHED
    tended.given_up += outcome is Launch.FAILED


def _look(ecs: ECSClient, store: JobStore, settings: JobSettings, jobs: Sequence[Job], tended: Tended) -> None:
    by_arn = {str(job.task_arn): job for job in jobs if job.task_arn}
    if not by_arn:
        return
    answer = ecs.describe_tasks(cluster=settings.cluster, tasks=list(by_arn))
    for task in answer["tasks"]:
        progress = progress_of_task(task, settings.container)
        tended.advanced += store.advance(by_arn[task["taskArn"]].job_id, progress)
    for failure in answer.get("failures") or []:
        job = by_arn.get(str(failure.get("arn")))
        if job is not None and failure.get("reason") == "MISSING":
            reason = f"ECS no longer knows the task {job.task_arn}, and no event told of its end"
            logger.error("job %s: %s", job.job_id, reason)
            tended.advanced += store.advance(job.job_id, never_launched(JobState.FAILED, reason, datetime.now(UTC)))
