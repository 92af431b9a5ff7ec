"""`--auth`: a task has what its role allows, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import ROOT, Account, running_emulator
from tests.ops.local.server.helpers import Fargate, queue, wait_until, write_images

_CODE = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import boto3, botocore.exceptions, json, os, urllib.request
sqs = boto3.client("sqs")
def attempt(name, call, **arguments):
    try:
        call(**arguments)
        print(name, "allowed")
    except botocore.exceptions.ClientError as error:
        print(name, error.response["Error"]["Code"])
    except botocore.exceptions.NoCredentialsError:
        print(name, "NoCredentials")
attempt("send", sqs.send_message, QueueUrl=os.environ["QUEUE_URL"], MessageBody="x")
attempt("receive", sqs.receive_message, QueueUrl=os.environ["QUEUE_URL"])
entries = [{{"Id": "1", "MessageBody": "x"}}]
attempt("send-batch", sqs.send_message_batch, QueueUrl=os.environ["QUEUE_URL"], Entries=entries)
try:
    print(boto3.client("sts").get_caller_identity()["Arn"])
except Exception as error:
    print(type(error).__name__)
agent = os.environ["ECS_AGENT_URI"] + "/task-protection/v1/state"
body = json.dumps({{"ProtectionEnabled": True}}).encode()
try:
    print("protect", urllib.request.urlopen(urllib.request.Request(agent, body, method="PUT")).status)
except urllib.error.HTTPError as error:
    print("protect", json.load(error)["error"]["Code"])
print("done")
import time; time.sleep(600)
"""
_TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("auth")


@pytest.fixture(scope="module")
def strict(home: Path) -> Iterator[str]:
    write_images(home)
    with running_emulator(home, "--auth") as url:
        yield url


def _role(account: Account, service: str, *actions: str) -> str:
    iam = account.client("iam")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
    arn = str(iam.create_role(RoleName="task", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])
    policy = {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    iam.put_role_policy(RoleName="task", PolicyName="p", PolicyDocument=json.dumps(policy))
    return arn


def _report(strict: str, home: Path, service: str | None, *actions: str) -> tuple[Account, list[str]]:
    """What a service's task with such a role is allowed to do."""
    account = Account(strict)
    fargate = Fargate(account, home)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [_TLS_ONLY]})
    url, _ = queue(account, "q", {"Policy": policy})
    role = {"taskRoleArn": _role(account, service, *actions)} if service else {}
    definition = fargate.define("t", [_CODE], image="python", environment=[{"name": "QUEUE_URL", "value": url}], **role)
    fargate.create_service("s", definition, 1)
    (task,) = fargate.wait_for_running("s", 1)
    wait_until(lambda: "done" in fargate.log(task["taskArn"]), "the program has tried everything")
    return account, fargate.log(task["taskArn"]).splitlines()


def test_a_task_may_do_what_its_role_allows_and_no_more(strict: str, home: Path) -> None:
    account, lines = _report(strict, home, "ecs-tasks.amazonaws.com", "sqs:SendMessage", "ecs:UpdateTaskProtection")
    # IAM has no sqs:SendMessageBatch: the single action covers the call
    assert lines[:3] == ["send allowed", "receive AccessDenied", "send-batch allowed"]
    assert lines[3].startswith(f"arn:aws:sts::{account.id}:assumed-role/task/")
    assert lines[4] == "protect 200"


def test_protection_needs_a_permission(strict: str, home: Path) -> None:
    _, lines = _report(strict, home, "ecs-tasks.amazonaws.com", "sqs:ReceiveMessage")
    assert lines[:3] == ["send AccessDenied", "receive allowed", "send-batch AccessDenied"]
    assert lines[4] == "protect AccessDeniedException"


def test_without_a_role_there_are_no_credentials(strict: str, home: Path) -> None:
    _, lines = _report(strict, home, None)
    assert lines[:3] == ["send NoCredentials", "receive NoCredentials", "send-batch NoCredentials"]


def test_a_role_that_ecs_may_not_assume_fails_the_task(strict: str, home: Path) -> None:
    account = Account(strict)
    fargate = Fargate(account, home)
    role_arn = _role(account, "lambda.amazonaws.com", "sqs:*")
    task = fargate.wait_for(fargate.run(fargate.define("t", ["exit 0"], taskRoleArn=role_arn)), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "does not allow ecs-tasks.amazonaws.com to assume it" in task["stoppedReason"]
