"""Network: the VPC of the tasks, new or existing, and their security group."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.validation import Check, OneOf, check
from components.vpc import VPC_RULES, Vpc, VpcArgs, interface_service, name_tag

__all__ = ["DEFAULT_ENDPOINT_SERVICES", "NatMode", "Network", "NetworkArgs"]

DEFAULT_ENDPOINT_SERVICES = ("ecr.api", "ecr.dkr", "events", "logs", "secretsmanager", "sqs", "ssm", "sts")
"""What a task needs to start, log, read secrets and consume a queue. (Fargate's own traffic to ECS needs none, nor does
scale-in protection: it goes through the agent.) Others: ``kms``, ``kinesis-streams``, ``sns``, ``states``, …"""

_ANYWHERE = "0.0.0.0/0"


class NatMode(StrEnum):
    """How tasks reach the internet and AWS."""

    NONE = "none"
    """Public subnets; tasks have public addresses, nothing comes in. No idle cost: addresses come with tasks."""
    GATEWAY = "gateway"
    """Private subnets behind NAT gateways: about US$ 33 a month each, plus traffic."""
    ENDPOINTS = "endpoints"
    """Private subnets without a route to the internet; interface endpoints: about US$ 7 a month each and per zone."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Arguments of `Network`. With `vpc_id` an existing VPC is used, and only the security group is created.

    Attributes:
        nat: default `NatMode.NONE`. New VPC only.
        cidr: of the new VPC, /16 to /24; default ``10.0.0.0/16``. **A change replaces the VPC.**
        availability_zones: 2 or 3, new VPC only; default 2.
        nat_gateways: with ``gateway``: 1 (the others' zone fails with it, and traffic crosses zones) to
            `availability_zones`; default 1.
        endpoint_services: with ``endpoints``: the last part of ``com.amazonaws.<region>.<service>``; default
            `DEFAULT_ENDPOINT_SERVICES`. S3 and DynamoDB are always there, free, as gateway endpoints.
        egress_ports: TCP ports that tasks may connect to, anywhere; default 443, which is all of AWS. Add a database's
            or a broker's.
        vpc_id, subnet_ids: an existing VPC and the subnets of the tasks; default None, a new VPC.
        assign_public_ip: existing VPC only: True in public subnets, False in those with a NAT; default False.
    """

    nat: NatMode = NatMode.NONE
    cidr: str = "10.0.0.0/16"
    availability_zones: int = 2
    nat_gateways: int = 1
    endpoint_services: Sequence[str] = DEFAULT_ENDPOINT_SERVICES
    egress_ports: Sequence[int] = (443,)
    vpc_id: pulumi.Input[str] | None = None
    subnet_ids: Sequence[pulumi.Input[str]] = ()
    assign_public_ip: bool = False


_RULES = (
    OneOf("nat", tuple(item.value for item in NatMode)),
    *VPC_RULES,
    Check(
        ("nat_gateways", "availability_zones"),
        lambda args: not 1 <= args.nat_gateways <= args.availability_zones,
        lambda args: (
            f"nat_gateways is {args.nat_gateways}; allowed is 1 to {args.availability_zones} (availability_zones)"
        ),
    ),
    Check(
        ("endpoint_services",),
        lambda args: any(not re.fullmatch(r"[a-z0-9.-]+", service) for service in args.endpoint_services),
        lambda args: (
            f"endpoint_services are {list(args.endpoint_services)}; each is the last part of a service name, e.g. 'sqs'"
        ),
    ),
    Check(
        ("egress_ports",),
        lambda args: any(not 1 <= port <= 65_535 for port in args.egress_ports),
        lambda args: f"egress_ports are {list(args.egress_ports)}; each is a TCP port from 1 to 65,535",
    ),
    Check(
        ("subnet_ids",),
        lambda args: (args.vpc_id is None) != (not args.subnet_ids),
        "vpc_id and subnet_ids go together: give both for an existing VPC, neither for a new one",
    ),
    Check(
        ("assign_public_ip",),
        lambda args: args.assign_public_ip and args.vpc_id is None,
        "assign_public_ip is for an existing VPC; in a new one `nat` decides",
    ),
)


class Network(Component):
    """Where tasks run. Nothing reaches them: their security group has no ingress rule.

    Attributes:
        vpc_id: new or given.
        task_subnet_ids: of the tasks: public with ``none``, private otherwise, or the given ones.
        public_subnet_ids: of what must be reached from the internet; empty with ``endpoints`` and in an existing VPC.
        assign_public_ip: whether tasks need a public address to reach AWS.
        task_security_group_id: of the tasks.
    """

    def __init__(self, name: str, args: NetworkArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or NetworkArgs()
        check(f"Network {name!r}", args, _RULES)
        self.vpc_id: pulumi.Output[str]
        self.task_subnet_ids: list[pulumi.Input[str]]
        self.public_subnet_ids: list[pulumi.Input[str]] = []
        if args.vpc_id is None:
            self._create_vpc(args)
        else:
            self.vpc_id = pulumi.Output.from_input(args.vpc_id)
            self.task_subnet_ids = list(args.subnet_ids)
            self.assign_public_ip = args.assign_public_ip
        self.task_security_group_id: pulumi.Output[str] = self._create_task_security_group(args.egress_ports)
        if args.vpc_id is None and args.nat == NatMode.ENDPOINTS:
            self._create_interface_endpoints(args.endpoint_services)
        self.publish(
            {
                "vpc_id": self.vpc_id,
                "task_subnet_ids": self.task_subnet_ids,
                "public_subnet_ids": self.public_subnet_ids,
                "assign_public_ip": self.assign_public_ip,
                "task_security_group_id": self.task_security_group_id,
            }
        )

    def _create_vpc(self, args: NetworkArgs) -> None:
        vpc = Vpc(
            self.name,
            VpcArgs(
                cidr=args.cidr,
                availability_zones=args.availability_zones,
                public=args.nat != NatMode.ENDPOINTS,
                private=args.nat != NatMode.NONE,
                nat_gateways=args.nat_gateways if args.nat == NatMode.GATEWAY else 0,
            ),
            self.child(),
        )
        self.vpc_id = vpc.vpc_id
        self.public_subnet_ids = list(vpc.public_subnet_ids)
        self.task_subnet_ids = list(vpc.private_subnet_ids or vpc.public_subnet_ids)
        self.assign_public_ip = not vpc.private_subnet_ids

    def _create_task_security_group(self, egress_ports: Sequence[int]) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{self.name}-tasks",
            vpc_id=self.vpc_id,
            description="Fargate tasks: nothing comes in",
            tags=name_tag(f"{self.name}-tasks"),
            opts=self.child(),
        )
        for port in sorted(set(egress_ports)):
            aws.vpc.SecurityGroupEgressRule(
                f"{self.name}-tasks-egress-{port}",
                security_group_id=group.id,
                cidr_ipv4=_ANYWHERE,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                opts=self.child(),
            )
        return group.id

    def _create_interface_endpoints(self, services: Sequence[str]) -> None:
        group = aws.ec2.SecurityGroup(
            f"{self.name}-endpoints",
            vpc_id=self.vpc_id,
            description="Interface endpoints: HTTPS from the tasks",
            tags=name_tag(f"{self.name}-endpoints"),
            opts=self.child(),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self.name}-endpoints-ingress",
            security_group_id=group.id,
            referenced_security_group_id=self.task_security_group_id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self.child(),
        )
        for service in sorted(set(services)):
            name = f"{self.name}-{service.replace('.', '-')}"
            aws.ec2.VpcEndpoint(
                name,
                vpc_id=self.vpc_id,
                service_name=interface_service(self, service),
                vpc_endpoint_type="Interface",
                subnet_ids=self.task_subnet_ids,
                security_group_ids=[group.id],
                private_dns_enabled=True,
                tags=name_tag(name),
                opts=self.child(),
            )
