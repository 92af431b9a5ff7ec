"""Task: a Fargate task that runs when something happens, and then ends."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute.cluster import FARGATE, FARGATE_SPOT, Cluster
from components.compute.task_definition import TASKS_SERVICE, TaskDefinition, TaskDefinitionArgs
from components.core.base import Component
from components.core.iam import Statement, pass_role
from components.network import Network
from contracts import launching

__all__ = ["Task", "TaskArgs", "run_task", "watch_tasks"]


@dataclass(frozen=True, kw_only=True)
class TaskArgs:
    """Arguments of `Task`.

    Attributes:
        cluster, network: where it runs.
        definition: what runs.
        spot: Fargate Spot: up to 70 % cheaper, may be reclaimed with 120 seconds' notice, and then has to be run again
            by whoever started it. Default False.
    """

    cluster: Cluster
    network: Network
    definition: TaskDefinitionArgs
    spot: bool = False


class Task(Component):
    """A task definition with everything that somebody who runs it has to know and to be allowed.

    Attributes:
        definition: the `TaskDefinition`.
        cluster, network, spot: where and how it runs.
        capacity_provider: ``FARGATE`` or ``FARGATE_SPOT``.
        family_arn: ARN without a revision: the latest one is run.
    """

    def __init__(self, name: str, args: TaskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.cluster = args.cluster
        self.network = args.network
        self.spot = args.spot
        self.capacity_provider = FARGATE_SPOT if args.spot else FARGATE
        self.definition = TaskDefinition(name, args.definition, self.child())
        self.family_arn: pulumi.Output[str] = self.definition.family_arn
        self.publish({"family_arn": self.family_arn, "cluster": self.cluster.arn})

    def run(self) -> list[Statement]:
        """What somebody needs who runs this task, in its cluster and with its roles."""
        return run_task(self.cluster, self.definition)

    def watch(self) -> list[Statement]:
        """What somebody needs who follows the tasks that it has started."""
        return watch_tasks(self.cluster)

    def stop(self) -> list[Statement]:
        """What somebody needs who ends tasks of the cluster."""
        return [
            Statement(
                actions=["ecs:StopTask"],
                resources=[_tasks_of(self.cluster)],
                conditions={"ArnEquals": {"ecs:cluster": self.cluster.arn}},
            )
        ]

    def launch_environment(self) -> dict[str, pulumi.Input[str]]:
        """What a program has to know that runs this task: the variables of `contracts.launching`."""
        return {
            launching.CLUSTER: self.cluster.arn,
            launching.TASK_DEFINITION: self.family_arn,
            launching.CONTAINER: self.definition.container_name,
            launching.SUBNETS: pulumi.Output.all(*self.network.task_subnet_ids).apply(",".join),
            launching.SECURITY_GROUPS: self.network.task_security_group_id,
            launching.PUBLIC_IP: "true" if self.network.assign_public_ip else "false",
            launching.CAPACITY_PROVIDER: self.capacity_provider,
        }

    def read_logs(self) -> list[Statement]:
        """What the task has written."""
        streams = pulumi.Output.concat(self.definition.log_group.arn, ":*")
        return [Statement(actions=["logs:GetLogEvents"], resources=[streams])]


def run_task(cluster: Cluster, definition: TaskDefinition) -> list[Statement]:
    """RunTask of any revision of one family in one cluster, the tags it may set, the two roles it hands over."""
    return [
        Statement(
            actions=["ecs:RunTask"],
            resources=[definition.family_arn.apply(lambda arn: f"{arn}:*")],
            conditions={"ArnEquals": {"ecs:cluster": cluster.arn}},
        ),
        Statement(
            actions=["ecs:TagResource"],
            resources=[_tasks_of(cluster)],
            conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
        ),
        pass_role([definition.execution_role_arn, definition.task_role_arn], TASKS_SERVICE),
    ]


def watch_tasks(cluster: Cluster) -> list[Statement]:
    """DescribeTasks and ListTasks in one cluster."""
    return [
        Statement(actions=["ecs:DescribeTasks"], resources=[_tasks_of(cluster)]),
        Statement(
            actions=["ecs:ListTasks"],
            resources=["*"],
            conditions={"ArnEquals": {"ecs:cluster": cluster.arn}},
            why_any_resource="the action's only resource type is the container instance, which Fargate has none of",
        ),
    ]


def _tasks_of(cluster: Cluster) -> pulumi.Output[str]:
    return cluster.arn.apply(lambda arn: arn.replace(":cluster/", ":task/") + "/*")
