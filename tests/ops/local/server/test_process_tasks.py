"""Fargate tasks as local processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, wait_until


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
)
def test_a_task_ends_with_the_exit_code_of_its_process(fargate: Fargate, script: str, exit_code: int) -> None:
    task = fargate.wait_for(fargate.run(fargate.define("t", [script])), "STOPPED")
    assert task["containers"][0]["exitCode"] == exit_code
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["desiredStatus"] == "STOPPED"


def test_the_environment_is_the_tasks_own(fargate: Fargate, account: Account, emulator: str) -> None:
    definition = fargate.define(
        "env", ["env; exit 0"], environment=[{"name": "A", "value": "definition"}, {"name": "B", "value": "definition"}]
    )
    overrides = {"containerOverrides": [{"name": "main", "environment": [{"name": "B", "value": "override"}]}]}
    arn = fargate.run(definition, overrides=overrides)
    fargate.wait_for(arn, "STOPPED")
    seen = dict(line.split("=", 1) for line in fargate.log(arn).splitlines() if "=" in line)
    assert (seen["A"], seen["B"], seen["FROM_IMAGE"]) == ("definition", "override", "yes")
    assert (seen["AWS_ENDPOINT_URL"], seen["AWS_REGION"]) == (emulator, account.region)
    assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"]) == (account.id, "test")
    assert seen["ECS_AGENT_URI"].startswith(emulator)
    assert seen["ECS_CONTAINER_METADATA_URI_V4"].startswith(emulator)
    ours = {"PATH", "HOME", "LANG", "A", "B", "API_HOST", "FROM_IMAGE", "PWD", "SHLVL", "_", "OLDPWD"}
    leaked = {name for name in seen if not name.startswith(("AWS_", "ECS_"))} - ours
    assert not leaked
    assert {name for name in seen if name in os.environ and name.startswith(("PYTEST", "VIRTUAL_ENV"))} == set()


def test_metadata_names_the_task(fargate: Fargate) -> None:
    code = (
        "import os, urllib.request as r;"
        "print(r.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4'] + '/task').read().decode())"
    )
    arn = fargate.run(fargate.define("meta", [code], image="python"))
    task = fargate.wait_for(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 0
    assert json.loads(fargate.log(arn))["TaskARN"] == arn


def test_an_unknown_image_fails_the_task_and_says_what_to_do(fargate: Fargate, server_home: Path) -> None:
    definition = fargate.define("u", ["x"], image="1.dkr.ecr.eu-west-1.amazonaws.com/unknown:1")
    task = fargate.wait_for(fargate.run(definition), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: no local command stands for the image")
    assert str(server_home / "images.json") in task["stoppedReason"]
    assert '"unknown": {"command": [...]}' in task["stoppedReason"]


def test_a_program_that_does_not_exist_fails_the_task(fargate: Fargate) -> None:
    task = fargate.wait_for(fargate.run(fargate.define("m", [], image="missing")), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "CannotStartContainerError: /nonexistent/program" in task["stoppedReason"]


@pytest.mark.parametrize(
    "image", ["shell", "shell:1.2", "r.example/team/shell:1.2", "r.example/shell@sha256:" + "0" * 64]
)
def test_an_image_is_found_by_its_name(fargate: Fargate, image: str) -> None:
    task = fargate.wait_for(fargate.run(fargate.define("i", ["exit 0"], image=image)), "STOPPED")
    assert task["containers"][0]["exitCode"] == 0


def test_an_entry_point_replaces_the_images_command(fargate: Fargate) -> None:
    definition = fargate.define("e", ["one", "two"], entryPoint=["/bin/echo", "entry"])
    arn = fargate.run(definition)
    fargate.wait_for(arn, "STOPPED")
    assert fargate.log(arn) == "entry one two\n"


def test_output_goes_to_cloudwatch_logs_line_by_line(fargate: Fargate, account: Account) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="/eda/t")
    options = {"awslogs-group": "/eda/t", "awslogs-region": account.region, "awslogs-stream-prefix": "p"}
    definition = fargate.define(
        "l", ["printf 'one\\ntw'; sleep 0.3; printf 'o\\nthree'"],
        logConfiguration={"logDriver": "awslogs", "options": options},
    )  # fmt: skip
    arn = fargate.run(definition)
    stream = f"p/main/{arn.rsplit('/', 1)[-1]}"
    wait_until(
        lambda: logs.describe_log_streams(logGroupName="/eda/t", logStreamNamePrefix=stream)["logStreams"], "a stream"
    )
    fargate.wait_for(arn, "STOPPED")

    def lines() -> list[str]:
        events = logs.get_log_events(logGroupName="/eda/t", logStreamName=stream, startFromHead=True)["events"]
        return [event["message"] for event in events]

    wait_until(lambda: len(lines()) >= 3, "three lines")
    assert lines() == ["one", "two", "three"]


def test_a_secret_becomes_a_variable(fargate: Fargate, account: Account) -> None:
    account.client("ssm").put_parameter(Name="/s", Value="hidden", Type="SecureString")
    arn = f"arn:aws:ssm:{account.region}:{account.id}:parameter/s"
    definition = fargate.define("s", ['test "$S" = hidden'], secrets=[{"name": "S", "valueFrom": arn}])
    task = fargate.wait_for(fargate.run(definition), "STOPPED")
    assert task["containers"][0]["exitCode"] == 0


def test_a_running_task_is_on_record_until_it_ends(fargate: Fargate, server_home: Path) -> None:
    arn = fargate.run(fargate.define("r", ["exec sleep 60"]))
    fargate.wait_for(arn, "RUNNING")
    record_file = server_home / "tasks" / f"{arn.rsplit('/', 1)[-1]}.json"
    record = json.loads(record_file.read_text())
    assert record["task_arn"] == arn
    assert abs(psutil.Process(record["pid"]).create_time() - record["create_time"]) < 2
    os.kill(record["pid"], 9)
    task = fargate.wait_for(arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137
    assert not record_file.exists()


def test_what_a_container_leaves_behind_is_killed_with_it(fargate: Fargate) -> None:
    arn = fargate.run(fargate.define("g", ["sleep 60 & echo $!; exit 0"]))
    fargate.wait_for(arn, "STOPPED")
    child = int(fargate.log(arn))
    wait_until(lambda: not psutil.pid_exists(child), "the background child is gone")


def test_an_essential_container_takes_the_others_with_it(fargate: Fargate) -> None:
    answer = fargate.ecs.register_task_definition(
        family="two",
        containerDefinitions=[
            {"name": "side", "image": "shell", "command": ["exec sleep 60"], "essential": False, "memory": 64},
            {"name": "main", "image": "shell", "command": ["sleep 0.3; exit 5"], "essential": True, "memory": 64},
        ],
    )
    task = fargate.wait_for(fargate.run(answer["taskDefinition"]["taskDefinitionArn"]), "STOPPED")
    assert {c["name"]: c["exitCode"] for c in task["containers"]} == {"side": 143, "main": 5}
