"""Service: copies of a task that run all the time, with or without something that sends them requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.cluster import FARGATE, FARGATE_SPOT, Cluster
from components.compute.ingress import LoadBalancerTarget, RegistryEntry
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.iam import policy_document
from components.core.validation import Check, Range, check
from components.network import Network

__all__ = ["Service", "ServiceArgs"]

_MAX_TASKS = 5_000
"""Amazon ECS quotas: "Tasks per service"."""
_MAX_TARGET_GROUPS = 5
"""Amazon ECS quotas: "Target groups per service"."""


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """Arguments of `Service`.

    Attributes:
        cluster: where it runs. **A change replaces the service.**
        task_definition: what it runs.
        network: the subnets and the security group of its tasks.
        desired_count: tasks at the first deploy, 0 to 5,000; default 1. Later deploys keep the count that autoscaling
            or `ops scale` has set.
        spot: run on Fargate Spot: up to 70 % cheaper, a task may be reclaimed with 120 seconds' notice. Default False.
        on_demand_base: with `spot`, the first tasks that run on Fargate all the same, 0 to 5,000; default 0.
        rollback_alarm_names: alarms that, when they fire during a deployment, roll it back; default none. Not those of
            the backlog: a deployment that meets one is not its cause.
        load_balancer_targets: target groups that its tasks are registered in, up to 5; default none. **A change of the
            container's name or port replaces the service.**
        registry_entry: Cloud Map service that its tasks are registered in; default None.
        health_check_grace_period_seconds: how long a new task may fail the load balancer's health checks, 0 to 7,200;
            default 60; without a load balancer it does nothing.
    """

    cluster: Cluster
    task_definition: TaskDefinition
    network: Network
    desired_count: int = 1
    spot: bool = False
    on_demand_base: int = 0
    rollback_alarm_names: Sequence[pulumi.Input[str]] = ()
    load_balancer_targets: Sequence[LoadBalancerTarget] = ()
    registry_entry: RegistryEntry | None = None
    health_check_grace_period_seconds: int = 60


_RULES = (
    Range("health_check_grace_period_seconds", 0, 7_200, "seconds"),
    Check(
        ("load_balancer_targets",),
        lambda args: len(args.load_balancer_targets) > _MAX_TARGET_GROUPS,
        lambda args: (
            f"load_balancer_targets has {len(args.load_balancer_targets)} entries; ECS allows {_MAX_TARGET_GROUPS}"
        ),
    ),
    Range("desired_count", 0, _MAX_TASKS, "tasks"),
    Range("on_demand_base", 0, _MAX_TASKS, "tasks"),
    Check(
        ("spot", "on_demand_base"),
        lambda args: bool(args.on_demand_base) and not args.spot,
        lambda args: (
            f"on_demand_base is {args.on_demand_base} without spot: all tasks are on demand then; set spot=True or "
            "leave it out"
        ),
    ),
)


class Service(Component):
    """A Fargate service whose failed deployment rolls back and whose busy tasks may protect themselves.

    Attributes:
        arn, service_name: of the service.
        cluster_name: where it runs.
        resource_id: ``service/<cluster name>/<service name>``, as Application Auto Scaling names it.
        task_definition: what it runs.
        service: the raw service.
    """

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"Service {name!r}", args, _RULES)
        self.task_definition = args.task_definition
        self.cluster_name: pulumi.Output[str] = args.cluster.cluster_name
        self.service = self._create(args, self._allow_protection(args))
        self.arn: pulumi.Output[str] = self.service.arn
        self.service_name: pulumi.Output[str] = self.service.name
        self.resource_id: pulumi.Output[str] = pulumi.Output.concat(
            "service/", self.cluster_name, "/", self.service_name
        )
        self.publish(
            {
                "arn": self.arn,
                "service_name": self.service_name,
                "cluster_name": self.cluster_name,
                "resource_id": self.resource_id,
            }
        )

    def _allow_protection(self, args: ServiceArgs) -> aws.iam.RolePolicy:
        return aws.iam.RolePolicy(
            f"{self.name}-protection-policy",
            role=args.task_definition.task_role.name,
            policy=policy_document(args.cluster.protect_tasks()),
            opts=self.child(),
        )

    def _create(self, args: ServiceArgs, protection: aws.iam.RolePolicy) -> aws.ecs.Service:
        alarms = list(args.rollback_alarm_names)
        targets, entry = args.load_balancer_targets, args.registry_entry
        # ECS refuses a target group that no listener uses yet, and a registry that it cannot find.
        ingress = [item for target in targets for item in target.depends_on] + list(entry.depends_on if entry else ())
        return aws.ecs.Service(
            self.name,
            cluster=args.cluster.arn,
            task_definition=args.task_definition.arn,
            desired_count=args.desired_count,
            capacity_provider_strategies=_strategies(args.spot, args.on_demand_base),
            # Without it the provider replaces the service when the strategy changes, e.g. from on demand to Spot.
            force_new_deployment=True,
            platform_version="LATEST",
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=args.network.task_subnet_ids,
                security_groups=[
                    args.network.task_security_group_id,
                    *(target.security_group_id for target in targets),
                    *([entry.security_group_id] if entry else []),
                ],
                assign_public_ip=args.network.assign_public_ip,
            ),
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            load_balancers=[
                aws.ecs.ServiceLoadBalancerArgs(
                    target_group_arn=target.target_group_arn,
                    container_name=args.task_definition.container_name,
                    container_port=target.container_port,
                )
                for target in targets
            ]
            or None,
            service_registries=(
                aws.ecs.ServiceServiceRegistriesArgs(
                    registry_arn=entry.registry_arn,
                    container_name=args.task_definition.container_name,
                    container_port=entry.container_port,
                )
                if entry
                else None
            ),
            health_check_grace_period_seconds=args.health_check_grace_period_seconds if targets else None,
            alarms=aws.ecs.ServiceAlarmsArgs(alarm_names=alarms, enable=True, rollback=True) if alarms else None,
            enable_execute_command=False,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=False,
            # A task without a way to its image fails, and the circuit breaker counts it: routes and endpoints first.
            opts=self.child(
                depends_on=[args.network, args.cluster, protection, *ingress], ignore_changes=["desired_count"]
            ),
        )


def _strategies(spot: bool, on_demand_base: int) -> list[aws.ecs.ServiceCapacityProviderStrategyArgs]:
    """A strategy in every case: a change between one and a launch type would replace the service."""
    if not spot:
        return [aws.ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=FARGATE, weight=1)]
    strategies = [aws.ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=FARGATE_SPOT, weight=1)]
    if on_demand_base:
        base = aws.ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=FARGATE, base=on_demand_base, weight=0)
        strategies.insert(0, base)
    return strategies
