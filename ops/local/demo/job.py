"""The demo of the pattern `job`: jobs that are asked for twice and run once, one that fails, one that is stopped."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from contracts.job_table import Job
from contracts.jobs import JobState, started_by
from contracts.manifest import PatternManifest
from ops.actions.jobs.creating import create_job
from ops.actions.jobs.following import follow
from ops.actions.jobs.reading import FoundJob
from ops.actions.jobs.stopping import stop_job
from ops.local.demo.row import Row
from ops.local.demo.stage import Stage

__all__ = ["PATTERN", "run", "why_not"]

PATTERN = "job"
_GOOD = 4
_SECONDS = 60.0
_STOP_AFTER_SECONDS = "60"


def why_not(stage: Stage, manifest: PatternManifest) -> str | None:
    """Why these jobs have no demo; None when they have one."""
    if manifest.jobs is None or manifest.task is None:
        return "it has no table of jobs"
    return None


def run(stage: Stage, manifest: PatternManifest) -> Row:
    """Each job ends as it has to, with one task, however often it was asked for."""
    begun = time.monotonic()
    tokens = {f"good-{number}": JobState.SUCCEEDED for number in range(_GOOD)}
    tokens |= {"not-on-the-menu": JobState.FAILED, "too-slow": JobState.STOPPED}
    run_id = secrets.token_hex(3)
    with ThreadPoolExecutor(len(tokens) * 2) as pool:
        asked = {token: [pool.submit(_create, stage, manifest, run_id, token) for _ in range(2)] for token in tokens}
        ids = {token: {call.result() for call in calls} for token, calls in asked.items()}
        stage.show(f"{len(tokens)} jobs created, each twice")
        ends = dict(
            zip(
                tokens,
                pool.map(lambda token: _end(stage, manifest, token, min(ids[token])), tokens),
                strict=True,
            )
        )
    tasks = {token: _tasks(stage, manifest, job.job_id) for token, job in ends.items()}
    wrong = [
        f"{token} is {job.state}, not {tokens[token]}" for token, job in ends.items() if job.state != tokens[token]
    ]
    wrong += [f"{token} has {len(found)} ids" for token, found in ids.items() if len(found) != 1]
    wrong += [f"{token} has {count} tasks" for token, count in tasks.items() if count != 1]
    counts = Counter(job.state for job in ends.values())
    return Row(
        name=manifest.name,
        pattern=PATTERN,
        path="create_job → task → rule → queue → track_job",
        sent=2 * len(tokens),
        processed=counts[JobState.SUCCEEDED],
        dead_lettered=0,
        replayed=0,
        seconds=round(time.monotonic() - begun, 1),
        ok=not wrong,
        note="; ".join(wrong)
        or f"{len(tokens)} jobs, each asked for twice and run once; 1 failed with its exit code, 1 stopped",
    )


def _create(stage: Stage, manifest: PatternManifest, run_id: str, token: str) -> str:
    name = "calzone-of-last-year" if token == "not-on-the-menu" else "margherita"
    environment = {"BAKING_SECONDS": _STOP_AFTER_SECONDS} if token == "too-slow" else {}
    created = create_job(
        stage.aws, manifest, environment=environment, data={"name": name}, token=f"demo-{run_id}-{token}"
    )
    return created.job_id


def _end(stage: Stage, manifest: PatternManifest, token: str, job_id: str) -> Job:
    never = threading.Event()

    def tell(job: Job) -> None:
        stage.show(f"{token}: {job.state}")
        if token == "too-slow" and job.state is JobState.RUNNING:
            stop_job(stage.aws, FoundJob(job, manifest), "the demo is over")

    return follow(stage.aws, manifest, job_id, never, tell, _SECONDS)


def _tasks(stage: Stage, manifest: PatternManifest, job_id: str) -> int:
    assert manifest.task is not None
    owner = started_by(manifest.name, job_id)
    return len(
        {
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in stage.aws.ecs().list_tasks(cluster=manifest.task.cluster, startedBy=owner, desiredStatus=status)[
                "taskArns"
            ]
        }
    )
