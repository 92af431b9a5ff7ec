from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.image import BuiltImage, BuiltImageArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import TaskDefinition, TaskDefinitionArgs
from components.encryption import EncryptionKey
from components.network import Network
from components.observability.alarm_topic import AlarmTopic
from components.stores.queue import Queue, QueueArgs
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, record

QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/worker"
SOURCE = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def identity(**statement: Any) -> Callable[[], object]:
    return lambda: aws.iam.RolePolicy("grants", role="worker", policy=document(**statement))


def trust(**statement: Any) -> Callable[[], object]:
    return lambda: aws.iam.Role("worker", assume_role_policy=document(Action="sts:AssumeRole", **statement))


def queue_policy(**statement: Any) -> Callable[[], object]:
    return lambda: aws.sqs.QueuePolicy("orders", queue_url="url", policy=document(**statement))


GRANTS = "aws:iam/rolePolicy:RolePolicy grants.policy: statement 0: "
TRUST = "aws:iam/role:Role worker.assumeRolePolicy: statement 0: "
QUEUE = "aws:sqs/queuePolicy:QueuePolicy orders.policy: statement 0: "
NO_SOURCE = "events.amazonaws.com may act for any account: no condition on aws:SourceArn or aws:SourceAccount"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (identity(Action="sqs:*", Resource=QUEUE_ARN), GRANTS + "action sqs:* has a wildcard"),
        (identity(Action=["sqs:Get*"], Resource=QUEUE_ARN), GRANTS + "action sqs:Get* has a wildcard"),
        (identity(Resource=QUEUE_ARN), GRANTS + "names no action"),
        (identity(Action="sqs:SendMessage"), GRANTS + "names no resource"),
        (
            identity(NotAction="iam:PassRole", Action="sqs:SendMessage", Resource=QUEUE_ARN),
            GRANTS + "NotAction covers whatever AWS adds; name what is meant",
        ),
        (
            identity(Action="sqs:SendMessage", Resource="*"),
            GRANTS + "sqs:SendMessage on every resource; name the ARNs",
        ),
        (
            identity(Action=["ecr:GetAuthorizationToken", "ecr:BatchGetImage"], Resource=["*"]),
            GRANTS + "ecr:BatchGetImage on every resource; name the ARNs",
        ),
        (
            identity(Action="sqs:SendMessage", Resource=f"arn:aws:sqs:*:{ACCOUNT}:orders"),
            GRANTS + f"resource arn:aws:sqs:*:{ACCOUNT}:orders is not limited to an account's or a service's resource",
        ),
        (
            identity(Action="sqs:SendMessage", Resource=f"arn:aws:sqs:{REGION}:{ACCOUNT}:*"),
            GRANTS
            + f"resource arn:aws:sqs:{REGION}:{ACCOUNT}:* is not limited to an account's or a service's resource",
        ),
        (
            identity(
                Action="iam:PassRole",
                Resource=f"arn:aws:iam::{ACCOUNT}:role/worker-*",
                Condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
            GRANTS + f"iam:PassRole on arn:aws:iam::{ACCOUNT}:role/worker-*; name the roles",
        ),
        (
            identity(Action="iam:PassRole", Resource=ROLE_ARN),
            GRANTS + "iam:PassRole without a condition on iam:PassedToService",
        ),
        (
            identity(
                Action="iam:PassRole", Resource=ROLE_ARN, Condition={"StringLike": {"iam:PassedToService": ["*"]}}
            ),
            GRANTS + "iam:PassRole without a condition on iam:PassedToService",
        ),
        (trust(Principal={"Service": "events.amazonaws.com"}), TRUST + NO_SOURCE),
        (
            trust(
                Principal={"Service": "events.amazonaws.com"},
                Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}},
            ),
            TRUST + NO_SOURCE,
        ),
        (trust(), TRUST + "a trust policy needs a principal"),
        (trust(Principal={"AWS": ["*"]}, Condition=SOURCE), TRUST + "allows every principal"),
        (queue_policy(Principal="*", Action="sqs:SendMessage", Resource=QUEUE_ARN), QUEUE + "allows every principal"),
        (
            queue_policy(Principal={"Service": "events.amazonaws.com"}, Action="sqs:SendMessage", Resource=QUEUE_ARN),
            QUEUE + NO_SOURCE,
        ),
        (
            lambda: aws.sqs.QueuePolicy("orders", queue_url="url", policy="{'Statement': []}"),
            "aws:sqs/queuePolicy:QueuePolicy orders.policy: is not JSON",
        ),
        (
            lambda: aws.iam.RolePolicy(
                "grants",
                role="worker",
                policy=document(Action="sqs:SendMessage", Resource=QUEUE_ARN).replace("12", "08"),
            ),
            "aws:iam/rolePolicy:RolePolicy grants.policy: Version is '2008-10-17'; without 2012-10-17 conditions have "
            "other meanings",
        ),
        (
            identity(Effect="allow", Action="sqs:SendMessage", Resource=QUEUE_ARN),
            GRANTS + "Effect is 'allow'; allowed is Allow or Deny",
        ),
    ],
)
def test_each_mistake_is_found(program: Callable[[], object], problem: str):
    assert walk_policies(record(program)) == [problem]


def test_a_policy_that_iam_would_refuse_for_its_size_is_found():
    arns = [f"{QUEUE_ARN}-{number:04d}" for number in range(220)]
    (problem,) = walk_policies(record(identity(Action="sqs:SendMessage", Resource=arns)))
    assert problem.endswith("characters; IAM allows 10,240")


def test_the_text_of_an_output_is_found():
    def program() -> None:
        arn = pulumi.Output.from_input(QUEUE_ARN)
        aws.iam.RolePolicy("grants", role="worker", policy=document(Action="sqs:SendMessage", Resource=f"{arn}"))

    assert any("contains the text of an Output instead of its value" in item for item in walk_policies(record(program)))


def test_a_policy_inside_another_property_is_found():
    def program() -> None:
        inline = aws.iam.RoleInlinePolicyArgs(name="inline", policy=document(Action="sqs:*", Resource=QUEUE_ARN))
        aws.iam.Role(
            "worker",
            assume_role_policy=document(
                Action="sts:AssumeRole", Principal={"Service": "events.amazonaws.com"}, Condition=SOURCE
            ),
            inline_policies=[inline],
        )

    assert walk_policies(record(program)) == [
        "aws:iam/role:Role worker.inlinePolicies[0].policy: statement 0: action sqs:* has a wildcard"
    ]


@pytest.mark.parametrize(
    "program",
    [
        identity(Action="ecr:GetAuthorizationToken", Resource="*"),
        identity(Action="ecs:UpdateTaskProtection", Resource=f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/cluster/*"),
        identity(Action="s3:GetObject", Resource="arn:aws:s3:::bucket/*"),
        identity(
            Action="iam:PassRole",
            Resource=[ROLE_ARN],
            Condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        queue_policy(Effect="Deny", Principal="*", Action="sqs:SendMessage", Resource=QUEUE_ARN),
        queue_policy(
            Principal={"Service": "sns.amazonaws.com"},
            Action="sqs:SendMessage",
            Resource=QUEUE_ARN,
            Condition={"ArnLike": {"AWS:SourceArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:*"}},
        ),
        lambda: aws.sqs.RedrivePolicy("orders", queue_url="url", redrive_policy='{"maxReceiveCount": 5}'),
    ],
)
def test_what_is_right_is_no_problem(program: Callable[[], object]):
    assert walk_policies(record(program)) == []


@pytest.mark.parametrize("preview", [False, True])
def test_the_components_write_policies_without_a_mistake(preview: bool):
    def program() -> None:
        key = EncryptionKey("key")
        queue = Queue("orders", QueueArgs(encryption_key=key))
        built = BuiltImage("image", BuiltImageArgs(context="."))
        container = ContainerArgs(
            image=built.container_image,
            secrets={"TOKEN": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:token-AbCdEf"},
        )
        task = TaskDefinition("orders", TaskDefinitionArgs(container=container, statements=queue.consume()))
        Service("orders", ServiceArgs(cluster=Cluster("cluster"), task_definition=task, network=Network("network")))
        AlarmTopic("alarms")

    recorder = record(program, preview=preview)
    assert walk_policies(recorder) == []
    assert len(recorder.of_type("RolePolicy")) == 3
