from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.job_table import advance, job_from, new_item
from contracts.jobs import (
    FINAL_RANK,
    JobState,
    Progress,
    job_of,
    latest,
    never_launched,
    progress_of_task,
    started_by,
    timestamp,
)

ARN = "arn:aws:ecs:ap-southeast-2:123456789012:task/cluster/0a1b"


def task(status: str, version: int = 1, **changes: Any) -> dict[str, Any]:
    """A task as an event's detail has it."""
    return {
        "taskArn": ARN,
        "lastStatus": status,
        "version": version,
        "createdAt": "2026-11-20T10:00:00.123Z",
        "updatedAt": "2026-11-20T10:00:05Z",
        "containers": [{"name": "worker"}],
        **changes,
    }


def stopped(code: int | None, stop_code: str = "EssentialContainerExited", **changes: Any) -> dict[str, Any]:
    container = {"name": "worker"} | ({} if code is None else {"exitCode": code})
    return task("STOPPED", 7, stopCode=stop_code, containers=[container], stoppedAt="2026-11-20T10:01:00Z", **changes)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PROVISIONING", JobState.STARTING),
        ("PENDING", JobState.STARTING),
        ("ACTIVATING", JobState.STARTING),
        ("RUNNING", JobState.RUNNING),
        ("DEACTIVATING", JobState.STOPPING),
        ("STOPPING", JobState.STOPPING),
        ("DEPROVISIONING", JobState.STOPPING),
    ],
)
def test_every_status_of_a_task_is_a_state_of_its_job(status: str, state: JobState):
    assert progress_of_task(task(status, 3), "worker").state is state
    assert progress_of_task(task(status, 3), "worker").rank == 3


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (stopped(0), JobState.SUCCEEDED),
        (stopped(3), JobState.FAILED),
        (stopped(137), JobState.FAILED),
        (stopped(None, "TaskFailedToStart", stoppedReason="CannotPullContainerError"), JobState.FAILED),
        (stopped(0, "SpotInterruption"), JobState.SUCCEEDED),
        (stopped(143, "SpotInterruption"), JobState.FAILED),
        (stopped(0, "UserInitiated"), JobState.STOPPED),
        (stopped(137, "UserInitiated"), JobState.STOPPED),
    ],
)
def test_the_end_is_judged_by_the_exit_code_and_by_who_asked_for_it(end: dict[str, Any], state: JobState):
    progress = progress_of_task(end, "worker")
    assert progress.state is state
    assert progress.rank == FINAL_RANK + 7
    assert progress.stopped_at == "2026-11-20T10:01:00.000Z"


def test_a_side_car_may_end_as_it_likes():
    containers = [{"name": "agent", "exitCode": 137, "reason": "killed"}, {"name": "worker", "exitCode": 0}]
    progress = progress_of_task(task("STOPPED", containers=containers), "worker")
    assert progress.state is JobState.SUCCEEDED
    assert progress.exit_codes == {"agent": 137, "worker": 0}
    assert progress.container_reasons == {"agent": "killed"}


def test_a_description_says_the_same_as_an_event():
    moment = datetime(2026, 11, 20, 21, 1, tzinfo=timezone(timedelta(hours=11)))
    described = {**stopped(0), "stoppedAt": moment, "createdAt": moment - timedelta(minutes=1)}
    del described["updatedAt"]
    assert progress_of_task(described, "worker").stopped_at == "2026-11-20T10:01:00.000Z"
    assert progress_of_task(described, "worker").at == "2026-11-20T10:01:00.000Z"


@pytest.mark.parametrize("wrong", [{}, {"lastStatus": "RUNNING"}, task("ASLEEP"), task("RUNNING", version="new")])  # type: ignore[arg-type]
def test_something_else_is_refused(wrong: dict[str, Any]):
    with pytest.raises((KeyError, ValueError)):
        progress_of_task(wrong, "worker")


def test_started_by_leads_back_to_the_job():
    longest = started_by("p" * 28, "j-" + 32 * "f")
    assert len(longest) <= 128
    assert job_of("reports", {"startedBy": started_by("reports", "j-1")}) == "j-1"
    for other in ("job/reports-2/j-1", "job/reports/", "events-rule/x", "", None):
        assert job_of("reports", {"startedBy": other}) is None


def test_times_sort_as_texts():
    assert timestamp("2026-11-20T21:00:00+11:00") == "2026-11-20T10:00:00.000Z"
    assert timestamp(datetime(2026, 11, 20, 10)) == timestamp("2026-11-20T10:00:00Z")  # noqa: DTZ001 - what if


def reports() -> st.SearchStrategy[list[Progress]]:
    """The life of a job as its reporters tell it: running versions, ends, and conclusions without a task."""
    alive = st.sampled_from([JobState.STARTING, JobState.RUNNING, JobState.STOPPING])
    ends = st.sampled_from([JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPED])
    at = datetime(2026, 11, 20, tzinfo=UTC)

    def alive_at(version: int) -> st.SearchStrategy[Progress]:
        return alive.map(lambda state: Progress(rank=version, state=state, at=timestamp(at + timedelta(version))))

    def ended_at(version: int) -> st.SearchStrategy[Progress]:
        return ends.map(
            lambda state: Progress(
                rank=FINAL_RANK + version,
                state=state,
                at=timestamp(at + timedelta(version)),
                exit_codes={"worker": version},
            )
        )

    conclusion = st.just(never_launched(JobState.FAILED, "no capacity", at))
    versions = st.lists(st.integers(1, 30), unique=True, min_size=1, max_size=8)
    lives = versions.flatmap(lambda found: st.tuples(*(st.one_of(alive_at(v), ended_at(v)) for v in found)))
    return st.tuples(lives, st.lists(conclusion, max_size=1)).map(lambda parts: [*parts[0], *parts[1]])


@given(reports(), st.randoms())
def test_merging_in_any_order_any_number_of_times_gives_the_same(life: list[Progress], random: Any):
    told = life * random.randint(1, 3)
    random.shuffle(told)
    truth = reduce(latest, sorted(life, key=lambda one: one.rank))
    assert reduce(latest, told) == truth
    # Never down: once final, final for good.
    states = list(itertools.accumulate(told, latest))
    first = next((position for position, one in enumerate(states) if one.state.final), len(states))
    assert all(one.state.final for one in states[first:])


@given(reports())
def test_it_is_associative(life: list[Progress]):
    for one, two, three in itertools.product(life[:4], repeat=3):
        assert latest(latest(one, two), three) == latest(one, latest(two, three))


def test_a_report_replaces_all_of_the_one_before():
    request = advance("j-1", progress_of_task(task("RUNNING", 4), "worker"), retention_days=7)
    assert request["ConditionExpression"] == "attribute_exists(job_id) AND #rank < :rank"
    removed = request["UpdateExpression"].partition(" REMOVE ")[2].split(", ")
    assert sorted(removed) == [
        "#container_reasons",
        "#exit_codes",
        "#expires_at",
        "#reason",
        "#started_at",
        "#stop_code",
        "#stopped_at",
    ]


def test_the_table_forgets_a_job_so_many_days_after_its_end():
    request = advance("j-1", progress_of_task(stopped(0), "worker"), retention_days=30)
    end = datetime(2026, 11, 20, 10, 1, tzinfo=UTC)
    assert request["ExpressionAttributeValues"][":expires_at"]["N"] == str(int((end + timedelta(days=30)).timestamp()))


def test_an_item_is_read_as_it_was_written():
    now = datetime(2026, 11, 20, 10, tzinfo=UTC)
    item = new_item("j-1", "reports", {"environment": {"A": "ü"}, "data": {}}, requested_by="arn:me", now=now)
    job = job_from(item)
    assert (job.state, job.rank, job.requested_by) == (JobState.SUBMITTED, 0, "arn:me")
    assert job.request == {"environment": {"A": "ü"}, "data": {}}
    assert job.created_at == "2026-11-20T10:00:00.000Z"
    assert job.exit_codes == {}
