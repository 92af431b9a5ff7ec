"""Create a job, against an embedded DynamoDB and ECS: one task for one token, whatever goes wrong in between."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from contracts.job_functions import TICK
from contracts.job_table import new_item
from contracts.jobs import JobState, never_launched, progress_of_task
from functions import create_job
from functions.requests import RefusedError, job_id_of, parse
from functions.tending import tend
from tests.functions.bench import CLUSTER, PATTERN, Bench, request


def test_the_job_is_recorded_and_its_task_runs_with_the_metadata(bench: Bench):
    bench.define(
        "import json, os; event = json.loads(os.environ['EDA_EVENT']);"
        "assert event['detail']['data'] == {'kind': 'monthly'}; assert os.environ['MONTH'] == '11';"
        "assert event['detail']['metadata']['idempotency-key'] == os.environ['EDA_JOB_ID']; raise SystemExit(5)"
    )
    status, answer = bench.create("t")
    assert status == 201
    job = bench.job(answer["job_id"])
    assert job.task_arn == answer["task_arn"]
    assert (job.state, job.requested_by) == (JobState.STARTING, "arn:me")
    end = bench.wait_for_end(answer["task_arn"])
    assert [item["exitCode"] for item in end["containers"]] == [5]
    assert end["startedBy"] == f"job/{PATTERN}/{answer['job_id']}"


def test_fifty_identical_requests_at_once_are_one_job_and_one_task(bench: Bench):
    bench.define("import time; time.sleep(60)")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: bench.create("same"), range(50)))
    assert {answer["job_id"] for _, answer in answers} == {job_id_of(PATTERN, "same")}
    assert sorted({status for status, _ in answers}) == [200, 201]
    assert [status for status, _ in answers].count(201) == 1
    assert len(bench.tasks()) == 1
    assert len(bench.dynamodb.scan(TableName="jobs")["Items"]) == 1


def test_a_token_of_another_request_is_a_conflict(bench: Bench):
    _, answer = bench.create("t")
    with pytest.raises(RefusedError) as caught:
        bench.create("t", environment={"MONTH": "12"})
    assert caught.value.status == 409
    assert answer["job_id"] in str(caught.value)
    assert len(bench.tasks()) == 1


class CrashError(Exception):
    """The function's process is gone."""


def test_a_crash_between_record_and_launch_is_healed_by_a_repetition(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    creator = bench.creator()

    def die(*_: Any, **__: Any) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(creator.launcher, "launch", die)
        with pytest.raises(CrashError):
            creator.create(request("t"))
    assert bench.job(job_id_of(PATTERN, "t")).state is JobState.SUBMITTED
    assert bench.tasks() == []
    status, answer = bench.create("t")
    assert status == 200
    assert bench.tasks() == [answer["task_arn"]]


def test_a_crash_between_launch_and_its_record_starts_no_second_task(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.define("import time; time.sleep(60)")
    creator = bench.creator()

    def die(*_: Any, **__: Any) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(creator.launcher, "_launched", die)
        with pytest.raises(CrashError):
            creator.create(request("t"))
    (task,) = bench.tasks()
    # Also after a deployment: the token then belongs to a call with another revision.
    bench.define("import time; time.sleep(61)")
    status, answer = bench.create("t")
    assert (status, answer["task_arn"]) == (200, task)
    assert bench.tasks() == [task]


def test_a_launch_that_fails_is_recorded_and_answered_as_it_is(bench: Bench, limits: Callable[..., None]):
    limits(per_second=1000, failure_share=0.9999)
    bench.ecs.run_task(cluster=CLUSTER, taskDefinition="reports-task")  # the first one is let through
    status, answer = bench.create("t")
    assert (status, answer["state"], answer["task_arn"]) == (202, "SUBMITTED", None)
    assert "Capacity is unavailable" in answer["launch_error"]
    assert bench.job(answer["job_id"]).launch_attempts == 4
    # WHEN there is capacity again, the next repetition, or the next tick, starts it
    limits(per_second=1000, failure_share=0)
    assert bench.create("t")[0] == 200
    assert bench.job(answer["job_id"]).state is not JobState.SUBMITTED


def test_a_call_without_time_for_another_attempt_answers(bench: Bench, limits: Callable[..., None]):
    limits(per_second=1000, failure_share=0.9999)
    bench.ecs.run_task(cluster=CLUSTER, taskDefinition="reports-task")  # the first one is let through
    status, answer = bench.creator().create(request("t"), lambda: False)
    assert (status, bench.job(answer["job_id"]).launch_attempts) == (202, 1)


@pytest.mark.parametrize(
    ("code", "message", "status", "state"),
    [
        ("InvalidParameterException", "Throttling: Rate exceeded", 202, "SUBMITTED"),
        ("InvalidParameterException", "You've reached the limit on the capacity", 202, "SUBMITTED"),
        ("ThrottlingException", "Rate exceeded", 202, "SUBMITTED"),
        ("AccessDeniedException", "not authorized to perform: iam:PassRole", 202, "SUBMITTED"),
        ("ServerException", "internal", 202, "SUBMITTED"),
        ("InvalidParameterException", "Container.image must not be blank", 502, "FAILED"),
        ("PlatformUnknownException", "no such platform", 502, "FAILED"),
    ],
)
def test_errors_that_pass_and_errors_that_do_not(bench: Bench, code: str, message: str, status: int, state: str):
    # The embedded ECS does not answer so; these are the words of the real one.
    ecs: Any = boto3.client(
        "ecs",
        region_name="ap-southeast-2",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )
    with Stubber(ecs) as stub:
        for _ in range(4):
            stub.add_client_error("run_task", code, message)
        answered, answer = bench.creator(ecs).create(request("t"))
    assert (answered, answer["state"]) == (status, state)
    assert message in (answer["reason"] if state == "FAILED" else answer["launch_error"])
    job = bench.job(answer["job_id"])
    assert (job.expires_at is not None) == (state == "FAILED")
    assert bench.tasks() == []


def recorded(bench: Bench, token: str, age_seconds: float) -> str:
    """A job whose creator has died before its launch."""
    job_id, now = job_id_of(PATTERN, token), datetime.now(UTC) - timedelta(seconds=age_seconds)
    assert bench.store.record(new_item(job_id, PATTERN, request(token).recorded(), requested_by=None, now=now))
    return job_id


def tick(bench: Bench, patience_seconds: int = 3600) -> Any:
    return tend(
        bench.ecs,
        bench.store,
        bench.launcher(),
        bench.jobs,
        patience_seconds=patience_seconds,
        in_time=lambda: True,
    )


def test_a_tick_launches_what_nobody_else_will(bench: Bench):
    orphan, young = recorded(bench, "orphan", 90), recorded(bench, "young", 0)
    tended = tick(bench)
    assert (tended.launched, tended.given_up) == (1, 0)
    assert 89 < tended.oldest_unlaunched < 120
    assert bench.job(orphan).task_arn is not None
    assert bench.job(young).state is JobState.SUBMITTED


def test_a_tick_gives_up_after_the_patience_and_says_why(bench: Bench):
    old = recorded(bench, "old", 4000)
    bench.store.note_launch_failure(old, "Capacity is unavailable")
    assert tick(bench).given_up == 1
    job = bench.job(old)
    assert job.state is JobState.FAILED
    assert job.reason == "no task could be started in time; last: Capacity is unavailable"
    assert bench.tasks() == []


def test_a_tick_adopts_a_task_that_no_answer_told_of(bench: Bench):
    bench.define("import time; time.sleep(60)")
    old = recorded(bench, "old", 4000)
    (task,) = bench.ecs.run_task(cluster=CLUSTER, taskDefinition="reports-task", startedBy=f"job/{PATTERN}/{old}")[
        "tasks"
    ]
    assert tick(bench).launched == 1
    assert bench.job(old).task_arn == task["taskArn"]
    assert len(bench.tasks()) == 1


def test_a_tick_learns_of_an_end_that_no_event_told_of(bench: Bench):
    bench.define("raise SystemExit(3)")
    job_id = recorded(bench, "silent", 60)
    assert bench.create("silent")[0] == 200
    bench.wait_for_end(str(bench.job(job_id).task_arn))
    assert tick(bench).advanced == 1
    job = bench.job(job_id)
    assert (job.state, job.exit_codes) == (JobState.FAILED, {"worker": 3})


def test_a_tick_ends_a_job_whose_task_ecs_has_forgotten_and_a_late_event_corrects_it(bench: Bench):
    job_id = recorded(bench, "forgotten", 60)
    gone = f"arn:aws:ecs:{bench.account.region}:{bench.account.id}:task/{CLUSTER}/{'0' * 32}"
    task = {
        "taskArn": gone,
        "lastStatus": "RUNNING",
        "version": 3,
        "createdAt": "2026-11-20T10:00:00Z",
        "containers": [],
    }
    assert bench.store.advance(job_id, progress_of_task(task, "worker"))
    assert tick(bench).advanced == 1
    assert bench.job(job_id).state is JobState.FAILED
    assert "no longer knows" in str(bench.job(job_id).reason)
    end = {**task, "lastStatus": "STOPPED", "version": 5, "containers": [{"name": "worker", "exitCode": 0}]}
    assert bench.store.advance(job_id, progress_of_task(end, "worker"))
    assert bench.job(job_id).state is JobState.SUCCEEDED


def test_a_job_that_was_stopped_before_its_launch_has_no_task_for_long(bench: Bench):
    bench.define("import time; time.sleep(60)")
    job_id = recorded(bench, "stopped", 0)
    before = bench.job(job_id)
    assert bench.store.advance(job_id, never_launched(JobState.STOPPED, "changed my mind", datetime.now(UTC)))
    bench.launcher().launch(before)  # it had read the record a moment ago
    (task,) = bench.tasks()
    end = bench.wait_for_end(task)
    assert end["stopCode"] == "UserInitiated"
    assert bench.job(job_id).state is JobState.STOPPED


class Context:
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 45_000


@pytest.fixture
def called(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(create_job, "_creator", bench.creator)
    return bench


def http(body: Any, method: str = "POST", *, encoded: bool = False) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "requestContext": {
            "requestId": "r-1",
            "http": {"method": method},
            "authorizer": {"iam": {"userArn": "arn:aws:iam::1:user/ana"}},
        },
        "body": base64.b64encode(text.encode()).decode() if encoded else text,
        "isBase64Encoded": encoded,
    }


def test_a_request_by_http(called: Bench):
    event = http({"token": "t", "environment": {"MONTH": "11"}, "requested_by": "arn:somebody-else"}, encoded=True)
    answer = create_job.handle(event, Context())
    body = json.loads(answer["body"])
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (201, "application/json")
    assert called.job(body["job_id"]).requested_by == "arn:aws:iam::1:user/ana"


def test_an_invocation_that_lambda_repeats_is_one_job(called: Bench):
    answers = [create_job.handle({"environment": {"MONTH": "11"}}, Context()) for _ in range(2)]
    assert [answer["status"] for answer in answers] == [201, 200]
    assert answers[0]["job_id"] == answers[1]["job_id"]
    assert len(called.tasks()) == 1


_REFUSED = [
    (http("{", "POST"), 400, "the body is no JSON"),
    (http('{"data": {"x": NaN}}'), 400, "NaN is no JSON"),
    (http({}, "GET"), 405, "GET is not supported"),
    (http([]), 400, "no JSON object"),
    (http({"env": {}}), 400, "'env' is not known; allowed: environment, data"),
    (http({"environment": {"EDA_EVENT": "x"}}), 400, "EDA_EVENT is set by the system"),
    (http({"environment": {"AWS_REGION": "x"}}), 400, "AWS_REGION is set by the system"),
    (http({"environment": {"A-B": "x"}}), 400, "'A-B' is no name of a variable"),
    (http({"environment": {"A": 1}}), 400, "'A' is 1; allowed is a text"),
    (http({"environment": ["A"]}), 400, "environment is ['A']"),
    (http({"data": "x"}), 400, "data is 'x'"),
    (http({"token": "a b"}), 400, "token is 'a b'"),
    (http({"token": 7}), 400, "token is 7"),
    (http({"data": {"text": "x" * 9000}}), 413, "ECS allows 8,192"),
]


def test_what_cannot_be_carried_out_is_refused_before_anything_is_recorded(called: Bench):
    for event, status, problem in _REFUSED:
        answer = create_job.handle(event, Context())
        assert answer["statusCode"] == status
        assert problem in json.loads(answer["body"])["error"]
    assert called.dynamodb.scan(TableName="jobs")["Items"] == []


def test_the_largest_request_that_is_accepted_fits_into_the_overrides(called: Bench):
    """One character less than refused is one that ECS takes."""
    low, high = 6_000, 9_000
    while high - low > 1:
        middle = (low + high) // 2
        try:
            parse({"data": {"text": "ü" * 10 + "x" * middle}}, token="t", pattern=PATTERN, container="worker")
            low = middle
        except RefusedError:
            high = middle
    _, answer = called.create("big", environment={}, data={"text": "ü" * 10 + "x" * low})
    (task,) = called.ecs.describe_tasks(cluster=CLUSTER, tasks=[answer["task_arn"]])["tasks"]
    assert len(json.dumps(task["overrides"])) <= 8192 < len(json.dumps(task["overrides"])) + 2


def test_a_tick_is_told_apart_and_reports_metrics(called: Bench, capsys: pytest.CaptureFixture[str]):
    recorded(called, "orphan", 90)
    answer = create_job.handle({"detail-type": TICK}, Context())
    assert (answer["launched"], answer["given_up"]) == (1, 0)
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert line["OldestUnlaunchedSeconds"] >= 90
    assert (line["Stack"], line["Pattern"]) == ("test", PATTERN)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"] for metric in directive["Metrics"]} == {"OldestUnlaunchedSeconds", "OldestUnfinishedSeconds"}
