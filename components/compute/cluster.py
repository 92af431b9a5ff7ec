"""Cluster: where Fargate tasks run."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement

__all__ = ["FARGATE", "FARGATE_SPOT", "Cluster", "ClusterArgs"]

FARGATE = "FARGATE"
FARGATE_SPOT = "FARGATE_SPOT"


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Arguments of `Cluster`.

    Attributes:
        container_insights: metrics per task, billed as custom metrics; no policy here needs them. Default False.
    """

    container_insights: bool = False


class Cluster(Component):
    """A cluster with Fargate and Fargate Spot, and no machines.

    Attributes:
        arn, cluster_name: of the cluster.
        cluster, capacity_providers: the raw resources.
    """

    def __init__(self, name: str, args: ClusterArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or ClusterArgs()
        self.cluster = aws.ecs.Cluster(
            name,
            settings=[
                aws.ecs.ClusterSettingArgs(
                    name="containerInsights", value="enabled" if args.container_insights else "disabled"
                )
            ],
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.cluster.arn
        self.cluster_name: pulumi.Output[str] = self.cluster.name
        self.capacity_providers = aws.ecs.ClusterCapacityProviders(
            f"{name}-capacity",
            cluster_name=self.cluster_name,
            capacity_providers=[FARGATE, FARGATE_SPOT],
            default_capacity_provider_strategies=[
                aws.ecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArgs(capacity_provider=FARGATE, weight=1)
            ],
            opts=self.child(),
        )
        self.publish({"arn": self.arn, "cluster_name": self.cluster_name})

    def protect_tasks(self) -> list[Statement]:
        """What a task's role needs to protect itself from scale-in while it is busy.

        Limited by the tasks' ARNs. The condition key ecs:cluster is not used: the agent's call does not reliably carry
        it, and a denied protection is silent.
        """
        tasks = self.arn.apply(lambda arn: arn.replace(":cluster/", ":task/") + "/*")
        return [Statement(actions=["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], resources=[tasks])]
