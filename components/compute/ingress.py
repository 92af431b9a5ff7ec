"""What sends requests to a service's tasks, as the service sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component

__all__ = ["LoadBalancerTarget", "RegistryEntry", "connect"]


@dataclass(frozen=True, kw_only=True)
class LoadBalancerTarget:
    """A target group, and the port of the tasks that it sends to.

    Attributes:
        target_group_arn: of target type ``ip``.
        container_port: where the container listens.
        security_group_id: of the tasks; lets the load balancer, and nobody else, in.
        depends_on: what must exist before ECS takes the target group: its listener.
    """

    target_group_arn: pulumi.Input[str]
    container_port: int
    security_group_id: pulumi.Input[str]
    depends_on: Sequence[pulumi.Resource] = ()


@dataclass(frozen=True, kw_only=True)
class RegistryEntry:
    """A Cloud Map service with SRV records, in which ECS keeps the address and port of every running task.

    Attributes:
        registry_arn: of the Cloud Map service.
        container_port: where the container listens.
        security_group_id: of the tasks; lets whoever looks them up in.
        depends_on: what must exist before the tasks do.
    """

    registry_arn: pulumi.Input[str]
    container_port: int
    security_group_id: pulumi.Input[str]
    depends_on: Sequence[pulumi.Resource] = ()


def connect(
    owner: Component, source_group_id: pulumi.Input[str], destination_group_id: pulumi.Input[str], port: int
) -> None:
    """Let members of one security group open TCP connections to those of another; two rules, children of `owner`."""
    aws.vpc.SecurityGroupEgressRule(
        f"{owner.name}-to-tasks",
        security_group_id=source_group_id,
        referenced_security_group_id=destination_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=owner.child(),
    )
    aws.vpc.SecurityGroupIngressRule(
        f"{owner.name}-into-tasks",
        security_group_id=destination_group_id,
        referenced_security_group_id=source_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=owner.child(),
    )
