"""Find jobs in the tables of a stack."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from contracts import job_table
from contracts.job_table import Job
from contracts.jobs import JobState, timestamp
from contracts.manifest import JobsRef, PatternManifest
from ops.errors import OpsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.aws import Aws

__all__ = ["FoundJob", "count_jobs", "find_job", "job_patterns", "list_jobs", "read_job"]


@dataclass(frozen=True)
class FoundJob:
    """A job and the pattern that it is in."""

    job: Job
    pattern: PatternManifest

    @property
    def jobs(self) -> JobsRef:
        return _reference(self.pattern)


def job_patterns(patterns: Mapping[str, PatternManifest], name: str | None = None) -> list[PatternManifest]:
    """The patterns of a stack that have jobs, or the one that is named.

    Raises:
        UsageError: the named one has none, or no pattern has.
    """
    having = [pattern for pattern in patterns.values() if pattern.jobs is not None]
    chosen = [pattern for pattern in having if name in (None, pattern.name)]
    if chosen:
        return chosen
    names = ", ".join(pattern.name for pattern in having)
    if name is None or not names:
        raise UsageError("no pattern of the stack is a job", "add one with `pattern: job` to its settings")
    raise UsageError(f"{name!r} is no job pattern of the stack", f"these are: {names}")


def read_job(aws: Aws, pattern: PatternManifest, job_id: str) -> Job | None:
    """The record as it is now; None when the table has none of this id."""
    answer = aws.dynamodb().get_item(
        TableName=_reference(pattern).table, Key={job_table.JOB_ID: {"S": job_id}}, ConsistentRead=True
    )
    return job_table.job_from(answer["Item"]) if "Item" in answer else None


def find_job(aws: Aws, patterns: Sequence[PatternManifest], job_id: str) -> FoundJob:
    """The job of this id, whichever of the patterns it is of.

    Raises:
        OpsError: none has it.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(patterns))) as pool:
        for pattern, job in zip(patterns, pool.map(lambda one: read_job(aws, one, job_id), patterns), strict=True):
            if job is not None:
                return FoundJob(job, pattern)
    names = ", ".join(pattern.name for pattern in patterns)
    raise OpsError(
        f"no job {job_id!r} of {names}; an ended one is forgotten after its retention",
        f"`ops jobs list {patterns[0].name}` shows the jobs",
    )


def list_jobs(
    aws: Aws,
    patterns: Sequence[PatternManifest],
    states: Collection[JobState],
    since: datetime,
    limit: int,
) -> list[Job]:
    """The newest jobs first, created since then and in one of the states."""
    found = [_in_state(aws, pattern, state, since, limit) for pattern in patterns for state in states]
    newest = heapq.merge(*found, key=lambda job: job.created_at, reverse=True)
    return list(itertools.islice(newest, limit))


def count_jobs(aws: Aws, pattern: PatternManifest) -> dict[str, int]:
    """State → jobs in the table; states without any are left out."""
    counts = {}
    for state in JobState:
        pages = (
            aws.dynamodb()
            .get_paginator("query")
            .paginate(
                TableName=_reference(pattern).table,
                IndexName=job_table.STATE_INDEX,
                Select="COUNT",
                KeyConditionExpression="#state = :state",
                ExpressionAttributeNames={"#state": job_table.STATE},
                ExpressionAttributeValues={":state": {"S": state.value}},
            )
        )
        if count := sum(page["Count"] for page in pages):
            counts[state.value] = count
    return counts


def _in_state(aws: Aws, pattern: PatternManifest, state: JobState, since: datetime, limit: int) -> Iterator[Job]:
    pages = (
        aws.dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=_reference(pattern).table,
            IndexName=job_table.STATE_INDEX,
            ScanIndexForward=False,
            KeyConditionExpression="#state = :state AND created_at >= :since",
            ExpressionAttributeNames={"#state": job_table.STATE},
            ExpressionAttributeValues={":state": {"S": state.value}, ":since": {"S": timestamp(since)}},
            PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 200)},
        )
    )
    for page in pages:
        yield from map(job_table.job_from, page["Items"])


def _reference(pattern: PatternManifest) -> JobsRef:
    assert pattern.jobs is not None, "callers take patterns from job_patterns"
    return pattern.jobs
