"""`ops jobs` against an embedded DynamoDB, ECS and Lambda; whole jobs are in tests/local/test_job.py."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.job_table import advance, new_item
from contracts.jobs import JobState, progress_of_task
from ops.actions.jobs.reading import find_job
from ops.actions.jobs.stopping import stop_job
from ops.aws import Aws
from ops.exit_codes import ExitCode
from ops.manifest import read_patterns
from tests.functions.bench import create_table
from tests.ops.scene import Scene

NOW = datetime.now(UTC)
_CANNED = """
ANSWERS = {
    "new": {"status": 201, "job_id": "j-1", "launch_error": None},
    "known": {"status": 200, "job_id": "j-1", "launch_error": None},
    "waiting": {"status": 202, "job_id": "j-1", "launch_error": "Capacity is unavailable"},
    "conflict": {"status": 409, "error": "the token belongs to another"},
    "large": {"status": 413, "error": "ECS allows 8,192"},
    "failed": {"status": 502, "job_id": "j-1", "reason": "Container.image must not be blank"},
}

def handle(event, context):
    assert event["requested_by"].startswith("arn:aws:")
    assert (event["environment"], event["data"]) == ({"A": "1=2"}, {"b": 3})
    return ANSWERS[event["token"]]
"""


@pytest.fixture
def jobs(scene: Scene) -> Scene:
    """Two job patterns in the stack `dev`, one of them without jobs."""
    for name in ("reports", "exports"):
        reference = {
            "table": "jobs" if name == "reports" else "no-jobs",
            "create_function": "create",
            "track_function": "track",
            "container": "worker",
            "retention_days": 7,
        }
        task = {"cluster": "c", "family": name, "log_group": ""}
        scene.publish_pattern(name, {"pattern": "job", "jobs": reference, "task": task})
    scene.publish_pattern("orders", {})
    dynamodb = scene.account.client("dynamodb")
    create_table(dynamodb)
    create_table(dynamodb, "no-jobs")
    scene.account.client("ecs").create_cluster(clusterName="c")
    return scene


def add(scene: Scene, job_id: str, age_minutes: float = 0, **task: Any) -> None:
    """A job created so long ago; with `task`, as far as that says."""
    dynamodb = scene.account.client("dynamodb")
    created = NOW - timedelta(minutes=age_minutes)
    item = new_item(job_id, "reports", {"environment": {}, "data": {}}, requested_by="arn:me", now=created)
    dynamodb.put_item(TableName="jobs", Item=item)
    if task:
        known = {"taskArn": "arn:task", "version": 1, "createdAt": created.isoformat(), **task}
        dynamodb.update_item(TableName="jobs", **advance(job_id, progress_of_task(known, "worker"), retention_days=7))


def ended(exit_code: int) -> dict[str, Any]:
    return {
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "stoppedAt": NOW.isoformat(),
        "startedAt": (NOW - timedelta(seconds=30)).isoformat(),
        "containers": [{"name": "worker", "exitCode": exit_code}],
    }


def ids(scene: Scene, *words: str) -> list[str]:
    ran = scene.run("--stack", "dev", "jobs", "list", *words, "--output", "json")
    assert ran.code == ExitCode.OK, ran.stderr
    return [job["job_id"] for job in json.loads(ran.stdout)]


def test_list_has_the_newest_first_and_can_be_narrowed(jobs: Scene):
    add(jobs, "j-old", 300, **ended(0))
    add(jobs, "j-failed", 60, **ended(3))
    add(jobs, "j-running", 30, lastStatus="RUNNING")
    add(jobs, "j-new")
    assert ids(jobs) == ["j-new", "j-running", "j-failed", "j-old"]
    assert ids(jobs, "reports", "--since", "2h") == ["j-new", "j-running", "j-failed"]
    assert ids(jobs, "--status", "failed", "--status", "SUBMITTED") == ["j-new", "j-failed"]
    assert ids(jobs, "--limit", "2") == ["j-new", "j-running"]
    assert ids(jobs, "exports") == []
    table = jobs.run("--stack", "dev", "jobs", "list")
    assert "Essential container in task exited" in table.stdout
    assert "30.0" in table.stdout


def test_show_has_everything(jobs: Scene):
    add(jobs, "j-1", 5, **ended(3))
    job = jobs.run("--stack", "dev", "jobs", "show", "j-1", "--output", "json").last
    assert (job["state"], job["exit_codes"], job["requested_by"]) == ("FAILED", {"worker": 3}, "arn:me")
    assert "worker 3" in jobs.run("--stack", "dev", "jobs", "show", "j-1").stdout


def test_status_counts_jobs_by_state(jobs: Scene):
    add(jobs, "j-1", **ended(0))
    add(jobs, "j-2", **ended(0))
    add(jobs, "j-3")
    ran = jobs.run("--stack", "dev", "status", "reports", "--output", "json")
    assert json.loads(ran.stdout)[0]["jobs"] == {"SUBMITTED": 1, "SUCCEEDED": 2}
    assert "SUBMITTED 1, SUCCEEDED 2" in jobs.run("--stack", "dev", "status").stdout


def test_a_job_without_a_task_is_stopped_for_good_and_says_who_did(jobs: Scene):
    add(jobs, "j-1")
    ran = jobs.run("--stack", "dev", "jobs", "stop", "j-1", "--reason", "wrong month", "--yes", "--output", "json")
    assert ran.code == ExitCode.OK, ran.stderr
    assert (ran.last["state"], ran.last["stop_reason"]) == ("STOPPED", "wrong month")
    assert ran.last["stop_requested_by"] in ran.last["reason"]
    again = jobs.run("--stack", "dev", "jobs", "stop", "j-1", "--reason", "other", "--yes", "--output", "json")
    assert (again.code, again.last["stop_reason"]) == (ExitCode.OK, "wrong month")


def test_a_job_that_got_its_task_while_it_was_being_stopped_loses_it(jobs: Scene, monkeypatch: pytest.MonkeyPatch):
    aws = Aws(region=jobs.account.region)
    add(jobs, "j-1")
    patterns = [one for one in read_patterns(aws.ssm(), "dev").values() if one.jobs]
    found = find_job(aws, patterns, "j-1")  # without a task
    add(jobs, "j-1", lastStatus="STOPPED", stopCode="EssentialContainerExited", containers=[])
    assert stop_job(aws, found, "why").state is JobState.FAILED  # its end is the truth
    stopped: list[Any] = []
    monkeypatch.setattr(aws.ecs(), "stop_task", lambda **request: stopped.append(request))
    add(jobs, "j-2", lastStatus="RUNNING")
    stop_job(aws, find_job(aws, patterns, "j-2"), "why")
    (request,) = stopped
    assert (request["cluster"], request["task"]) == ("c", "arn:task")
    assert request["reason"].startswith("why (arn:aws:")


@pytest.fixture
def create_function(jobs: Scene) -> Scene:
    """A function that answers as create_job does; that one itself is in tests/functions and tests/local."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        target.writestr("canned.py", _CANNED)
    jobs.account.client("lambda").create_function(
        FunctionName="create",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{jobs.account.id}:role/any",
        Handler="canned.handle",
        Code={"ZipFile": packed.getvalue()},
    )
    return jobs


def test_every_answer_of_the_function_is_told_as_it_is(create_function: Scene):
    add(create_function, "j-1", **ended(0))

    def run(token: str, *words: str) -> Any:
        request = ("--env", "A=1=2", "--data", '{"b": 3}', "--token", token)
        return create_function.run("--stack", "dev", "jobs", "run", "reports", *request, *words)

    assert run("new", "--wait").code == ExitCode.OK
    known = run("known", "--output", "json")
    assert (known.code, known.last["job_id"]) == (ExitCode.OK, "j-1")
    assert "which this token had created before" in known.stderr
    waiting = run("waiting")
    assert (waiting.code, "Capacity is unavailable" in waiting.stderr) == (ExitCode.PARTLY, True)
    assert run("conflict").code == ExitCode.ERROR
    large = run("large")
    assert (large.code, "ECS allows 8,192" in large.stderr) == (ExitCode.USAGE, True)
    failed = run("failed")
    assert (failed.code, "Container.image must not be blank" in failed.stderr) == (ExitCode.ERROR, True)
    broken = run("no-such-answer")
    assert (broken.code, "the function create failed" in broken.stderr) == (ExitCode.ERROR, True)
    assert "--token no-such-answer" in broken.stderr


def test_waiting_ends_with_the_truth(create_function: Scene):
    def wait() -> int:
        words = ("--env", "A=1=2", "--data", '{"b": 3}', "--token", "known", "--wait", "--timeout", "0.1")
        return create_function.run("--stack", "dev", "jobs", "run", "reports", *words).code

    add(create_function, "j-1", lastStatus="RUNNING")
    assert wait() == ExitCode.PARTLY
    add(create_function, "j-1", **ended(3))
    assert wait() == ExitCode.ERROR
    add(create_function, "j-1", **{**ended(143), "stopCode": "UserInitiated"})
    assert wait() == ExitCode.ERROR
    add(create_function, "j-1", **ended(0))
    assert wait() == ExitCode.OK


_REFUSED = [
    (("run", "orders"), ExitCode.USAGE, "'orders' is no job pattern of the stack"),
    (("run", "reports", "--env", "MONTH"), ExitCode.USAGE, "--env 'MONTH': not a variable"),
    (("run", "reports", "--env", "A=1", "--env", "A=2"), ExitCode.USAGE, "--env A: is there twice"),
    (("run", "reports", "--data", "{"), ExitCode.USAGE, "--data is no JSON"),
    (("run", "reports", "--data", "[]"), ExitCode.USAGE, "allowed is a JSON object"),
    (("run", "reports", "--wait", "--timeout", "0"), ExitCode.USAGE, "--timeout 0"),
    (("run", "reports"), ExitCode.ERROR, "creating a job of reports"),
    (("list", "--status", "ASLEEP"), ExitCode.USAGE, "--status ASLEEP: not a state"),
    (("list", "--since", "yesterday"), ExitCode.USAGE, "'yesterday' is no time"),
    (("list", "--limit", "0"), ExitCode.USAGE, "--limit 0"),
    (("show", "j-0"), ExitCode.ERROR, "no job 'j-0' of exports, reports"),
    (("stop", "j-0"), ExitCode.USAGE, "no terminal to ask"),
    (("stop", "j-0", "--yes"), ExitCode.ERROR, "no job 'j-0'"),
]


def test_what_cannot_be_done_is_a_sentence(jobs: Scene):
    for words, code, problem in _REFUSED:
        ran = jobs.run("--stack", "dev", "jobs", *words)
        assert (ran.code, problem in ran.stderr, "Traceback" in ran.stderr) == (code, True, False), (words, ran.stderr)
