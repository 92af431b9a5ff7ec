"""Track jobs: a thousand lives told in any order, twice and late, against an embedded DynamoDB."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.job_table import job_from, new_item
from contracts.jobs import JobState, started_by, timestamp
from functions import track_job
from functions.requests import job_id_of
from functions.store import JobStore
from tests.functions.bench import CLUSTER, PATTERN, TABLE, Bench

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
STATUSES = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "DEPROVISIONING", "STOPPED")
ENDS: list[tuple[dict[str, Any], JobState]] = [
    ({"stopCode": "EssentialContainerExited", "exitCode": 0}, JobState.SUCCEEDED),
    ({"stopCode": "EssentialContainerExited", "exitCode": 9}, JobState.FAILED),
    ({"stopCode": "UserInitiated", "exitCode": 143}, JobState.STOPPED),
    ({"stopCode": "TaskFailedToStart"}, JobState.FAILED),
]


def life(job_id: str, number: int) -> tuple[list[dict[str, Any]], JobState]:
    """Every event of one task, in order, and how its job ends."""
    end, state = ENDS[number % len(ENDS)]
    events = []
    for version, status in enumerate(STATUSES, 1):
        container = {"name": "worker", "lastStatus": status}
        detail: dict[str, Any] = {
            "taskArn": f"arn:aws:ecs:ap-southeast-2:123456789012:task/{CLUSTER}/{number:032x}",
            "lastStatus": status,
            "version": version,
            "startedBy": started_by(PATTERN, job_id),
            "createdAt": timestamp(BEGIN),
            "updatedAt": timestamp(BEGIN + timedelta(seconds=version)),
            "containers": [container],
        }
        if version >= 4:
            detail["startedAt"] = timestamp(BEGIN + timedelta(seconds=4))
        if status == "STOPPED":
            detail |= {"stopCode": end["stopCode"], "stoppedReason": f"end of {number}"}
            detail["stoppedAt"] = timestamp(BEGIN + timedelta(seconds=version))
            if "exitCode" in end:
                container["exitCode"] = end["exitCode"]
        events.append({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail})
    return events, state


def batches(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    records = [{"messageId": str(n), "body": json.dumps(event)} for n, event in enumerate(events)]
    return [{"Records": records[start : start + 10]} for start in range(0, len(records), 10)]


@pytest.fixture
def tracker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(track_job, "_tracker", lambda: (bench.jobs, bench.store))
    return bench


def record(bench: Bench, token: str) -> str:
    job_id = job_id_of(PATTERN, token)
    item = new_item(job_id, PATTERN, {"environment": {}, "data": {}}, requested_by=None, now=BEGIN)
    assert bench.store.record(item)
    return job_id


def all_jobs(bench: Bench) -> dict[str, Any]:
    pages = bench.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    return {item["job_id"]["S"]: item for page in pages for item in page["Items"]}


def play(bench: Bench, count: int, seed: int) -> None:
    """Shuffled over all jobs, each event once, twice or three times, the last quarter of the copies long after the end."""
    chance = random.Random(seed)
    expected, events, late = {}, [], []
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda number: record(bench, str(number)), range(count)))
    for number, job_id in enumerate(ids):
        told, expected[job_id] = life(job_id, number)
        for event in told:
            events += [event] * chance.randint(1, 3)
        late += chance.sample(told, 2)
    chance.shuffle(events)
    for part in (events, late):
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda batch: track_job.handle(batch, None), batches(part)))
        assert all(answer == {"batchItemFailures": []} for answer in answers)
    found = all_jobs(bench)
    assert {job_id: job_from(item).state for job_id, item in found.items()} == expected
    for number, job_id in enumerate(ids):
        job, end = job_from(found[job_id]), ENDS[number % len(ENDS)][0]
        assert job.exit_codes == ({"worker": end["exitCode"]} if "exitCode" in end else {})
        assert (job.stop_code, job.reason) == (end["stopCode"], f"end of {number}")
        assert job.started_at == "2026-11-20T00:00:04.000Z"
        assert job.expires_at == int((BEGIN + timedelta(days=7, seconds=7)).timestamp())
    assert Counter(expected.values())[JobState.FAILED] == count // 2


def test_sixty_jobs_whose_events_come_shuffled_doubled_and_late(tracker: Bench):
    play(tracker, 60, seed=1)


@pytest.mark.soak
def test_a_thousand_jobs_whose_events_come_shuffled_doubled_and_late(tracker: Bench):
    play(tracker, 1000, seed=2)


def test_every_order_of_one_life_ends_in_the_same_item(tracker: Bench):
    chance, items = random.Random(3), []
    for number in range(12):
        job_id = record(tracker, f"order-{number}")
        events, _ = life(job_id, 1)
        chance.shuffle(events)
        for event in events:
            track_job.track(event, tracker.jobs, tracker.store)
        item = all_jobs(tracker)[job_id]
        items.append({name: value for name, value in item.items() if name != "job_id"})
    assert all(item == items[0] for item in items)


def test_one_message_that_is_no_event_is_given_back_alone(tracker: Bench):
    job_id = record(tracker, "t")
    events, _ = life(job_id, 0)
    (batch,) = batches([events[0], {"detail": {"lastStatus": "?"}}, events[-1]])
    batch["Records"].append({"messageId": "text", "body": "{"})
    answer = track_job.handle(batch, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "text"}]}
    assert tracker.job(job_id).state is JobState.SUCCEEDED


def test_a_task_of_somebody_else_and_a_job_that_is_forgotten_make_no_record(tracker: Bench):
    events, _ = life("j-unknown", 0)
    foreign = {**events[3], "detail": {**events[3]["detail"], "startedBy": "ecs-svc/1"}}
    (batch,) = batches([events[3], foreign])
    assert track_job.handle(batch, None) == {"batchItemFailures": []}
    assert all_jobs(tracker) == {}


def test_a_table_that_cannot_be_written_gives_everything_back(tracker: Bench, monkeypatch: pytest.MonkeyPatch):
    broken = JobStore(tracker.dynamodb, "no-such-table", 7)
    monkeypatch.setattr(track_job, "_tracker", lambda: (tracker.jobs, broken))
    events, _ = life("j-1", 0)
    (batch,) = batches(events[:3])
    assert len(track_job.handle(batch, None)["batchItemFailures"]) == 3
