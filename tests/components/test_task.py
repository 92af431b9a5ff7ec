from __future__ import annotations

from typing import Any

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.task import Task, TaskArgs
from components.compute.task_definition import TaskDefinitionArgs
from components.core.iam import policy_document
from components.network import Network
from tests.recorder import ACCOUNT, REGION, policy_of, record

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"


def task(**changes: Any) -> Task:
    definition = TaskDefinitionArgs(container=ContainerArgs(image="registry.example/worker:1"))
    arguments: dict[str, Any] = {"cluster": Cluster("cluster"), "network": Network("network"), "definition": definition}
    return Task("thumbs", TaskArgs(**{**arguments, **changes}))


def test_a_task_is_a_definition_with_its_roles_and_nothing_that_runs_all_the_time():
    recorder = record(task)
    assert recorder.names("aws:ecs/taskDefinition:TaskDefinition") == ["thumbs"]
    assert recorder.names("aws:iam/role:Role") == ["thumbs-execution-role", "thumbs-task-role"]
    assert recorder.of_type("aws:ecs/service:Service") == []


def test_who_runs_it_may_run_this_family_in_this_cluster_and_pass_its_two_roles():
    seen: list[str] = []

    def program() -> None:
        policy_document(task().run()).apply(seen.append)

    record(program)
    assert policy_of(seen[0]) == [
        {
            "Effect": "Allow",
            "Action": ["ecs:RunTask"],
            "Resource": [f"{ARN}:task-definition/thumbs-0a1b2c3:*"],
            "Condition": {"ArnEquals": {"ecs:cluster": f"{ARN}:cluster/cluster-0a1b2c3"}},
        },
        {
            "Effect": "Allow",
            "Action": ["ecs:TagResource"],
            "Resource": [f"{ARN}:task/cluster-0a1b2c3/*"],
            "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        },
        {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": [
                f"arn:aws:iam::{ACCOUNT}:role/thumbs-execution-role-0a1b2c3",
                f"arn:aws:iam::{ACCOUNT}:role/thumbs-task-role-0a1b2c3",
            ],
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
    ]


def test_who_follows_its_tasks_may_look_at_those_of_the_cluster():
    seen: list[str] = []

    def program() -> None:
        policy_document(task().watch()).apply(seen.append)

    record(program)
    assert policy_of(seen[0]) == [
        {"Effect": "Allow", "Action": ["ecs:DescribeTasks"], "Resource": [f"{ARN}:task/cluster-0a1b2c3/*"]},
        {
            "Effect": "Allow",
            "Action": ["ecs:ListTasks"],
            "Resource": ["*"],
            "Condition": {"ArnEquals": {"ecs:cluster": f"{ARN}:cluster/cluster-0a1b2c3"}},
        },
    ]


def test_spot_is_a_capacity_provider():
    providers: list[str] = []
    record(lambda: providers.extend([task().capacity_provider]))
    record(lambda: providers.extend([task(spot=True).capacity_provider]))
    assert providers == ["FARGATE", "FARGATE_SPOT"]


def test_a_preview_runs_too():
    assert record(task, preview=True).names("aws:ecs/taskDefinition:TaskDefinition") == ["thumbs"]
