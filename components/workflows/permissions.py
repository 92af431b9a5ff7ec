"""What a state machine's role, and who reports to one, must be allowed: exact statements, merged over the states."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.compute.cluster import Cluster
from components.compute.task import Task
from components.compute.task_definition import TASKS_SERVICE
from components.core.base import Component
from components.core.iam import Statement, pass_role
from components.core.place import place_of

__all__ = [
    "log_delivery",
    "map_run_statements",
    "report_statements",
    "state_machine_arn",
    "task_statements",
    "tracing_statements",
]

_MANAGED_RULE = "StepFunctionsGetEventsForECSTaskRule"
"""Of the account: by it Step Functions hears that a task of ``.sync`` has stopped."""


def state_machine_arn(owner: Component, physical_name: str) -> pulumi.Output[str]:
    """The ARN of a state machine that need not be there yet."""
    return place_of(owner).arn("states", f"stateMachine:{physical_name}")


def report_statements(arn: pulumi.Input[str]) -> list[Statement]:
    """Reports of a task with a token.

    The reference of IAM actions has no resource for them; Step Functions checks them on the state machine.
    """
    actions = ["states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"]
    return [Statement(actions=actions, resources=[arn])]


def task_statements(owner: Component, tasks: Sequence[tuple[Task, bool]]) -> list[Statement]:
    """Run each task in its cluster with its roles; of those that are waited for, see the end and stop them."""
    statements: list[Statement] = []
    roles: dict[str, list[pulumi.Input[str]]] = {}
    for cluster in {id(task.cluster): task.cluster for task, _ in tasks}.values():
        inside = [(task, watched) for task, watched in tasks if task.cluster is cluster]
        definitions = {task.name: task.definition for task, _ in inside}
        statements += [
            Statement(
                actions=["ecs:RunTask"],
                resources=[pulumi.Output.concat(item.family_arn, ":*") for item in definitions.values()],
                conditions={"ArnEquals": {"ecs:cluster": cluster.arn}},
            ),
            Statement(
                actions=["ecs:TagResource"],
                resources=[_tasks_of(cluster)],
                conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
            ),
        ]
        if any(watched for _, watched in inside):
            statements.append(Statement(actions=["ecs:DescribeTasks", "ecs:StopTask"], resources=[_tasks_of(cluster)]))
        roles |= {name: [item.execution_role_arn, item.task_role_arn] for name, item in definitions.items()}
    if roles:
        statements.append(pass_role([arn for pair in roles.values() for arn in pair], TASKS_SERVICE))
    if any(watched for _, watched in tasks):
        rule = place_of(owner).arn("events", f"rule/{_MANAGED_RULE}")
        statements.append(
            Statement(actions=["events:DescribeRule", "events:PutRule", "events:PutTargets"], resources=[rule])
        )
    return statements


def _tasks_of(cluster: Cluster) -> pulumi.Output[str]:
    return cluster.arn.apply(lambda arn: arn.replace(":cluster/", ":task/") + "/*")


def map_run_statements(arn: pulumi.Output[str]) -> list[Statement]:
    """A distributed map starts executions of its own state machine, and watches them."""
    executions = arn.apply(lambda text: text.replace(":stateMachine:", ":execution:"))
    return [
        Statement(actions=["states:StartExecution"], resources=[arn]),
        Statement(
            actions=["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"],
            resources=[pulumi.Output.concat(executions, ":*"), pulumi.Output.concat(executions, "/*:*")],
        ),
    ]


def log_delivery() -> Statement:
    """What Step Functions needs to log executions (developer guide, "Using CloudWatch Logs")."""
    return Statement(
        actions=[
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ],
        resources=["*"],
        why_any_resource="log deliveries and resource policies belong to the account: no resource-level permissions",
    )


def tracing_statements() -> Statement:
    """What Step Functions needs to send traces."""
    return Statement(
        actions=[
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
        resources=["*"],
        why_any_resource="traces belong to the account: the actions have no resource-level permissions",
    )
