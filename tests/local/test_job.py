"""Jobs from end to end, on the real program: `ops jobs run --wait` → function → task → events → function → table."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from contracts.job_table import new_item
from tests.local.deployed import Deployed, deployed, eventually

pytestmark = pytest.mark.timeout(300)


def settings(root: Path, **changes: Any) -> dict[str, Any]:
    handler = {
        "function": "tests.local.job_handlers:report",
        "image": "eda-worker:local",
        "environment": {"EFFECTS": str(root / "effects")},
        "stop_timeout_seconds": 10,
    }
    return {"pattern": "job", "handler": handler, **changes}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """One environment for the tests of this module, with roles enforced."""
    root = tmp_path_factory.mktemp("jobs") / "checkout"
    with deployed(root, settings(root), "--auth") as running:
        yield running


def facts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_job_runs_and_its_end_is_in_the_table(stack: Deployed):
    done = stack.ops("jobs", "run", "orders", "--env", "MONTH=11", "--wait", "--timeout", "60", "--output", "json")
    assert done.returncode == 0, done.stderr
    job = facts(done)
    assert (job["state"], job["exit_codes"], job["stop_code"]) == (
        "SUCCEEDED",
        {"worker": 0},
        "EssentialContainerExited",
    )
    assert stack.effects()[f"{job['job_id']}/11"] == 1
    assert job["expires_at"] > time.time() + 29 * 86_400
    assert "SUCCEEDED" in done.stderr


def test_a_task_that_fails_is_the_commands_failure(stack: Deployed):
    data = json.dumps({"fail": True})
    done = stack.ops("jobs", "run", "orders", "--data", data, "--wait", "--timeout", "60", "--output", "json")
    assert done.returncode == 1, done.stderr
    job = facts(done)
    assert (job["state"], job["exit_codes"]) == ("FAILED", {"worker": 1})
    # and it is found again
    listed = stack.ops("jobs", "list", "--status", "failed", "--since", "1h", "--output", "json")
    assert job["job_id"] in [one["job_id"] for one in json.loads(listed.stdout)]
    shown = stack.ops("jobs", "show", job["job_id"], "--output", "json")
    assert facts(shown)["reason"] == "Essential container in task exited"


def test_the_same_token_is_the_same_job_and_another_request_is_a_conflict(stack: Deployed):
    run = ("jobs", "run", "orders", "--token", "once", "--env", "MONTH=10", "--output", "json")
    first, second = stack.ops(*run, "--wait"), stack.ops(*run, "--wait")
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert facts(first)["job_id"] == facts(second)["job_id"]
    assert "which this token had created before" in second.stderr
    assert stack.effects()[f"{facts(first)['job_id']}/10"] == 1
    other = stack.ops("jobs", "run", "orders", "--token", "once", "--env", "MONTH=09")
    assert other.returncode == 1
    assert "asked for something else" in other.stderr


def test_a_job_that_is_stopped_says_who_did_and_why(stack: Deployed):
    started = stack.ops("jobs", "run", "orders", "--data", '{"sleep": 60}', "--output", "json")
    assert started.returncode == 0, started.stderr
    job_id = facts(started)["job_id"]
    eventually(lambda: any(key.startswith(job_id) for key in stack.effects()), 60, stack.effects)
    done = stack.ops(
        "jobs", "stop", job_id, "--reason", "wrong month", "--yes", "--wait", "--timeout", "60", "--output", "json"
    )
    assert done.returncode == 0, done.stderr
    job = facts(done)
    assert (job["state"], job["stop_code"], job["stop_reason"]) == ("STOPPED", "UserInitiated", "wrong month")
    assert ":root" in job["stop_requested_by"] or ":user/" in job["stop_requested_by"]
    assert job["reason"].startswith("wrong month (")
    again = stack.ops("jobs", "stop", job_id, "--yes")
    assert (again.returncode, "has ended already: STOPPED" in again.stderr) == (0, True)


def test_a_signed_request_to_the_url_creates_a_job_and_an_unsigned_one_does_not(stack: Deployed):
    jobs = stack.manifest.jobs
    assert jobs is not None
    assert jobs.url is not None
    host = jobs.url.removeprefix("https://").rstrip("/")
    body = json.dumps({"token": "by-url", "environment": {"MONTH": "08"}}).encode()

    def post(headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(
            stack.state.endpoint_url, data=body, headers={**headers, "host": host}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, {}

    assert post({"content-type": "application/json"})[0] == 403
    signed = AWSRequest("POST", f"http://{host}/", data=body, headers={"content-type": "application/json"})
    environment = stack.environment
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "lambda", stack.state.region).add_auth(signed)
    status, answer = post(dict(signed.headers))
    assert status == 201, answer
    eventually(lambda: f"{answer['job_id']}/08" in stack.effects(), 60, stack.effects)


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("run", "nobody"), 2, "'nobody' is no job pattern"),
        (("run", "orders", "--env", "MONTH"), 2, "--env 'MONTH': not a variable"),
        (("run", "orders", "--env", "AWS_REGION=x"), 2, "AWS_REGION is set by the system"),
        (("run", "orders", "--data", "[]"), 2, "allowed is a JSON object"),
        (("list", "--status", "ASLEEP"), 2, "--status ASLEEP: not a state"),
        (("list", "--since", "yesterday"), 2, "'yesterday' is no time"),
        (("show", "j-0"), 1, "no job 'j-0' of orders"),
        (("stop", "j-0"), 2, "no terminal to ask"),
        (("stop", "j-0", "--yes"), 1, "no job 'j-0' of orders"),
    ],
)
def test_what_a_command_refuses_is_a_sentence(stack: Deployed, words: tuple[str, ...], code: int, problem: str):
    done = stack.ops("jobs", *words)
    assert (done.returncode, problem in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


def test_a_job_whose_creator_died_is_launched_by_the_tick(stack: Deployed):
    jobs, job_id = stack.manifest.jobs, f"j-{'0' * 32}"
    assert jobs is not None
    request = {"environment": {"MONTH": "07"}, "data": {}}
    begun = datetime.now(UTC) - timedelta(seconds=60)
    item = new_item(job_id, "orders", request, requested_by=None, now=begun)
    stack.client("dynamodb").put_item(TableName=jobs.table, Item=item)
    eventually(lambda: stack.effects()[f"{job_id}/07"] == 1, 150, stack.effects)
    eventually(lambda: facts(stack.ops("jobs", "show", job_id, "--output", "json"))["state"] == "SUCCEEDED", 60, str)
    assert stack.effects()[f"{job_id}/07"] == 1


def test_the_function_has_what_its_role_allows_and_nothing_else(stack: Deployed):
    jobs = stack.manifest.jobs
    assert jobs is not None
    role = stack.client("lambda").get_function(FunctionName=jobs.create_function)["Configuration"]["Role"]
    name = role.rpartition("/")[2]
    iam = stack.client("iam")
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=name, PolicyName=policy)
    try:
        done = stack.ops("jobs", "run", "orders", "--token", "forbidden")
        assert (done.returncode, "AccessDenied" in done.stderr) == (1, True), done.stderr
    finally:
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    # The caller was told to repeat with the same token.
    healed = stack.ops("jobs", "run", "orders", "--token", "forbidden", "--wait", "--timeout", "60")
    assert healed.returncode == 0, healed.stderr
