from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.compute.container import ContainerArgs, ContainerImage
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.errors import InvalidArgsError
from components.stores.queue import Queue
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

IMAGE = "public.ecr.aws/docker/library/python:3.13-slim"
ECR_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/orders@sha256:{'0' * 64}"
LOGS_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:orders-logs-0a1b2c3"
WRITE_LOGS = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": [f"{LOGS_ARN}:*"],
}


def task(preview: bool = False, *, container: ContainerArgs | None = None, **options: Any) -> Recorder:
    container = container or ContainerArgs(image=IMAGE)
    return record(lambda: TaskDefinition("orders", TaskDefinitionArgs(container=container, **options)), preview=preview)


def container_of(recorder: Recorder) -> dict[str, Any]:
    (container,) = json.loads(recorder.one("aws:ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"])
    assert isinstance(container, dict)
    return container


def execution_statements(recorder: Recorder) -> list[dict[str, Any]]:
    return policy_of(recorder.one("RolePolicy", "orders-execution-role-policy").inputs["policy"])


def test_the_defaults_are_the_smallest_task_with_a_log_and_two_roles():
    recorder = task()
    assert recorder.children() == {
        "aws:cloudwatch/logGroup:LogGroup": 1,
        "aws:ecs/taskDefinition:TaskDefinition": 1,
        "aws:iam/role:Role": 2,
        "aws:iam/rolePolicy:RolePolicy": 1,  # the container may do nothing until it is granted something
    }
    inputs = dict(recorder.one("aws:ecs/taskDefinition:TaskDefinition", "orders").inputs)
    del inputs["containerDefinitions"]
    assert inputs == {
        "cpu": "256",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/orders-execution-role-0a1b2c3",
        "family": "eda-test-orders",
        "memory": "512",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/orders-task-role-0a1b2c3",
    }
    assert recorder.one("LogGroup").inputs == {"retentionInDays": 30}


def test_the_container_stops_gracefully_and_writes_to_its_log_only():
    assert container_of(task()) == {
        "name": "worker",
        "image": IMAGE,
        "essential": True,
        "environment": [],
        "stopTimeout": 120,
        "linuxParameters": {"initProcessEnabled": True},
        "readonlyRootFilesystem": True,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "orders-logs-0a1b2c3",
                "awslogs-region": REGION,
                "awslogs-stream-prefix": "orders",
            },
        },
    }


def test_every_option_of_the_container_reaches_its_definition_sorted_by_name():
    def program() -> None:
        container = ContainerArgs(
            image=IMAGE,
            name="main",
            command=["queue"],
            entry_point=["python", "-m", "worker"],
            environment={"B": pulumi.Output.from_input("later"), "A": "now"},
            secrets={"TOKEN": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:api-AbCdEf:token::"},
            parameters={"LIMIT": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/limit"},
            stop_timeout_seconds=30,
            readonly_root_filesystem=False,
            user="1000",
        )
        TaskDefinition("orders", TaskDefinitionArgs(container=container))

    recorder = record(program)
    container = container_of(recorder)
    assert container["name"] == "main"
    assert container["command"] == ["queue"]
    assert container["entryPoint"] == ["python", "-m", "worker"]
    assert container["environment"] == [{"name": "A", "value": "now"}, {"name": "B", "value": "later"}]
    assert container["secrets"] == [
        {"name": "LIMIT", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/limit"},
        {"name": "TOKEN", "valueFrom": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:api-AbCdEf:token::"},
    ]
    assert container["stopTimeout"] == 30
    assert container["readonlyRootFilesystem"] is False
    assert container["user"] == "1000"


def test_every_option_of_the_task_reaches_its_definition():
    recorder = task(
        cpu=1024,
        memory_mib=3072,
        architecture=Architecture.ARM64,
        ephemeral_storage_gib=50,
        log_retention_days=365,
    )
    inputs = recorder.one("aws:ecs/taskDefinition:TaskDefinition").inputs
    assert (inputs["cpu"], inputs["memory"]) == ("1024", "3072")
    assert inputs["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    assert inputs["ephemeralStorage"] == {"sizeInGib": 50}
    assert recorder.one("LogGroup").inputs == {"retentionInDays": 365}


def test_only_this_accounts_tasks_may_take_the_roles():
    for role in task().of_type("Role"):
        (trust,) = policy_of(role.inputs["assumeRolePolicy"])
        assert trust == {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": ["sts:AssumeRole"],
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }


def test_an_image_outside_private_ecr_needs_no_permission():
    assert execution_statements(task()) == [WRITE_LOGS]


@pytest.mark.parametrize(
    "image",
    [
        ECR_IMAGE,
        ContainerImage(uri="built-elsewhere", repository_arn=f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/orders"),
    ],
)
def test_an_image_in_ecr_is_pulled_from_its_repository_only(image: ContainerImage | str):
    assert execution_statements(task(container=ContainerArgs(image=image))) == [
        WRITE_LOGS,
        {
            "Effect": "Allow",
            "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Resource": [f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/orders"],
        },
        {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
    ]


def test_the_execution_role_reads_the_named_secrets_and_nothing_else():
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:api-AbCdEf"
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/limit"
    recorder = task(
        container=ContainerArgs(
            image=IMAGE,
            secrets={"TOKEN": f"{secret}:token::"},
            parameters={"LIMIT": parameter},
            secret_key_arns=["arn:key"],
        )
    )
    assert execution_statements(recorder) == [
        WRITE_LOGS,
        {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [secret]},
        {"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": [parameter]},
        {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": ["arn:key"]},
    ]


def test_grants_become_the_task_roles_one_policy():
    def program() -> None:
        queue = Queue("orders-queue")
        TaskDefinition("orders", TaskDefinitionArgs(container=ContainerArgs(image=IMAGE), statements=queue.consume()))

    policy = record(program).one("RolePolicy", "orders-task-role-policy").inputs
    assert policy["role"] == "orders-task-role-0a1b2c3"
    (statement,) = policy_of(policy["policy"])
    assert statement["Resource"] == [f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-queue-0a1b2c3"]


def test_what_others_refer_to_is_published():
    published: dict[str, Any] = {}

    def program() -> None:
        made = TaskDefinition("orders", TaskDefinitionArgs(container=ContainerArgs(image=IMAGE)))
        pulumi.Output.all(arn=made.arn, family_arn=made.family_arn, log=made.log_group_name).apply(published.update)
        published.update(family=made.family, container=made.container_name, stop=made.stop_timeout_seconds)

    record(program)
    assert published == {
        "arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/orders-0a1b2c3:1",
        "family_arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/orders-0a1b2c3",
        "log": "orders-logs-0a1b2c3",
        "family": "eda-test-orders",
        "container": "worker",
        "stop": 120,
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"cpu": 256, "memory_mib": 4096},
            "memory_mib is 4096; with cpu 256 allowed is 512, 1024, 2048; or keep the memory with cpu 512, 1024, 2048",
        ),
        ({"architecture": "RISCV"}, "architecture is 'RISCV'; allowed is one of 'X86_64', 'ARM64'"),
        ({"ephemeral_storage_gib": 20}, "ephemeral_storage_gib is 20; allowed is a whole number from 21 to 200 GiB"),
        (
            {"container": ContainerArgs(image=IMAGE, stop_timeout_seconds=121)},
            "stop_timeout_seconds is 121; allowed is a whole number from 2 to 120 seconds",
        ),
        (
            {"container": ContainerArgs(image=IMAGE, name="a b")},
            "container name is 'a b'; allowed are 1 to 255 letters, digits, hyphens and underscores",
        ),
        (
            {"container": ContainerArgs(image="")},
            "image is empty; name one with its tag or digest, e.g. 'public.ecr.aws/docker/library/python:3.13-slim'",
        ),
        (
            {"container": ContainerArgs(image=ContainerImage(uri=""))},
            "image is empty; name one with its tag or digest, e.g. 'public.ecr.aws/docker/library/python:3.13-slim'",
        ),
        (
            {"container": ContainerArgs(image=IMAGE, environment={"A": "1"}, secrets={"A": "arn:secret"})},
            "A: set more than once in environment, secrets and parameters; keep one",
        ),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_registered(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        task(**options)
    assert str(caught.value) == f"TaskDefinition 'orders': {problem}"


def test_a_retention_that_cloudwatch_does_not_have_is_refused():
    with pytest.raises(InvalidArgsError, match="log_retention_days is 31; allowed is one of 1, 3, 5, 7, 14, 30, 60,"):
        task(log_retention_days=31)


def test_it_runs_with_unknown_outputs():
    recorder = task(preview=True)
    assert recorder.names("TaskDefinition") == ["orders", "orders"]  # the component and its task definition
