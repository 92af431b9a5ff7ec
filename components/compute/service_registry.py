"""ServiceRegistry: a Cloud Map service in which ECS keeps the address and port of every running task."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.ingress import RegistryEntry, connect
from components.core.base import Component
from components.core.validation import Range, check
from components.network import Network

__all__ = ["ServiceRegistry", "ServiceRegistryArgs"]

_TTL_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class ServiceRegistryArgs:
    """Arguments of `ServiceRegistry`.

    Attributes:
        network: whose VPC the names are known in.
        container_port: where the tasks listen; default 8080.
    """

    network: Network
    container_port: int = 8080


_RULES = (Range("container_port", 1, 65_535),)


class ServiceRegistry(Component):
    """A private DNS namespace of its own (a Route 53 hosted zone, about US$ 0.50 a month) with one service.

    SRV records, because API Gateway takes the port from them.

    Attributes:
        arn: of the Cloud Map service.
        tasks_security_group_id: of the tasks; admits nobody until `admit`.
        entry: what a `Service` needs to be registered.
    """

    def __init__(self, name: str, args: ServiceRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"ServiceRegistry {name!r}", args, _RULES)
        self._args = args
        namespace = aws.servicediscovery.PrivateDnsNamespace(
            name,
            name=f"{name}.{pulumi.get_stack()}.internal",
            vpc=args.network.vpc_id,
            description=f"Tasks of {name}",
            opts=self.child(),
        )
        service = aws.servicediscovery.Service(
            f"{name}-service",
            name="tasks",
            dns_config=aws.servicediscovery.ServiceDnsConfigArgs(
                namespace_id=namespace.id,
                routing_policy="MULTIVALUE",
                dns_records=[aws.servicediscovery.ServiceDnsConfigDnsRecordArgs(type="SRV", ttl=_TTL_SECONDS)],
            ),
            # ECS deregisters what runs no more; a namespace with instances in it could not be deleted.
            force_destroy=True,
            opts=self.child(),
        )
        group = aws.ec2.SecurityGroup(
            f"{name}-behind",
            vpc_id=args.network.vpc_id,
            description="Tasks behind a VPC link: in from it",
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = service.arn
        self.tasks_security_group_id: pulumi.Output[str] = group.id
        self.entry = RegistryEntry(
            registry_arn=self.arn, container_port=args.container_port, security_group_id=group.id, depends_on=[service]
        )
        self.publish({"arn": self.arn})

    def admit(self, owner: Component, security_group_id: pulumi.Input[str]) -> None:
        """Let members of this security group connect to the tasks; the rules are children of `owner`."""
        connect(owner, security_group_id, self.tasks_security_group_id, self._args.container_port)
