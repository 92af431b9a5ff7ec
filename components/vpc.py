"""Vpc: a new VPC with its subnets and its way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.errors import ComponentError
from components.core.place import place_of
from components.core.validation import Check, Range, Rule, check

__all__ = ["VPC_RULES", "Vpc", "VpcArgs", "interface_service", "name_tag"]

_ANYWHERE = "0.0.0.0/0"
_SUBNET_BITS = 3
"""A subnet is an eighth of the VPC: up to three public, up to three private ones, and two eighths stay free."""
_FIRST_PRIVATE = 4


def name_tag(name: str) -> dict[str, str]:
    """A VPC's resources have no names; people find them by this tag."""
    return {"Name": f"{pulumi.get_stack()}-{name}"}


def interface_service(owner: pulumi.Resource, service: str) -> pulumi.Output[str]:
    """The name of an AWS service's endpoint in this region."""
    region = place_of(owner).region
    return pulumi.Output.concat("com.amazonaws.", region, f".{service}")


@dataclass(frozen=True, kw_only=True)
class VpcArgs:
    """Arguments of `Vpc`.

    Attributes:
        cidr: /16 to /24; default ``10.0.0.0/16``. **A change replaces the VPC.**
        availability_zones: 2 or 3; default 2.
        public: make public subnets; default True.
        private: make private subnets, with free gateway endpoints for S3 and DynamoDB; default False.
        nat_gateways: for the private subnets, 0 (no way to the internet) to `availability_zones`; default 0.
    """

    cidr: str = "10.0.0.0/16"
    availability_zones: int = 2
    public: bool = True
    private: bool = False
    nat_gateways: int = 0


def _is_vpc_block(cidr: str) -> bool:
    try:
        return 16 <= IPv4Network(cidr).prefixlen <= 24
    except ValueError:
        return False


VPC_RULES: tuple[Rule, ...] = (
    Range("availability_zones", 2, 3, "zones"),
    Check(
        ("cidr",),
        lambda args: not _is_vpc_block(args.cidr),
        lambda args: f"cidr is {args.cidr!r}; allowed is an IPv4 network from /16 to /24, e.g. '10.0.0.0/16'",
    ),
)


class Vpc(Component):
    """A VPC over two or three zones.

    Attributes:
        vpc_id: of the VPC.
        public_subnet_ids, private_subnet_ids: one per zone, or empty.
        vpc: the raw VPC.
    """

    def __init__(self, name: str, args: VpcArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or VpcArgs()
        check(f"Vpc {name!r}", args, VPC_RULES)
        self.vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # private DNS of interface endpoints needs both
            tags=name_tag(name),
            opts=self.child(),
        )
        self.vpc_id: pulumi.Output[str] = self.vpc.id
        zones = self._zone_names(args.availability_zones)
        blocks = list(IPv4Network(args.cidr).subnets(prefixlen_diff=_SUBNET_BITS))
        public = self._create_subnets("public", zones, blocks) if args.public else []
        private = self._create_subnets("private", zones, blocks[_FIRST_PRIVATE:]) if args.private else []
        internet = self._route_to_internet(public) if public else None
        tables = [self._create_route_table(f"private-{number}", [subnet]) for number, subnet in enumerate(private, 1)]
        if tables:
            self._create_gateway_endpoints(tables)
        if internet and args.nat_gateways:
            self._route_through_nat(tables, public[: args.nat_gateways], internet)
        self.public_subnet_ids: list[pulumi.Output[str]] = [subnet.id for subnet in public]
        self.private_subnet_ids: list[pulumi.Output[str]] = [subnet.id for subnet in private]
        self.publish(
            {
                "vpc_id": self.vpc_id,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
            }
        )

    def _zone_names(self, count: int) -> list[pulumi.Output[str]]:
        names = aws.get_availability_zones_output(
            state="available",
            # Local zones are in the list otherwise, and they have no Fargate.
            filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
            opts=pulumi.InvokeOutputOptions(parent=self),
        ).names

        def nth(number: int) -> pulumi.Output[str]:
            def pick(found: Sequence[str]) -> str:
                if len(found) < count:
                    raise ComponentError(
                        f"Vpc {self.name!r}: availability_zones is {count}, but the region has {len(found)}"
                    )
                return found[number]

            return names.apply(pick)

        return [nth(number) for number in range(count)]

    def _create_subnets(
        self, kind: str, zones: Sequence[pulumi.Output[str]], blocks: Sequence[IPv4Network]
    ) -> list[aws.ec2.Subnet]:
        return [
            aws.ec2.Subnet(
                f"{self.name}-{kind}-{number}",
                vpc_id=self.vpc_id,
                cidr_block=str(block),
                availability_zone=zone,
                tags=name_tag(f"{self.name}-{kind}-{number}"),
                # A zone that AWS adds to the region must not move the subnets.
                opts=self.child(ignore_changes=["availability_zone"]),
            )
            for number, (zone, block) in enumerate(zip(zones, blocks, strict=False), 1)
        ]

    def _create_route_table(self, kind: str, subnets: Sequence[aws.ec2.Subnet]) -> aws.ec2.RouteTable:
        name = f"{self.name}-{kind}"
        table = aws.ec2.RouteTable(f"{name}-routes", vpc_id=self.vpc_id, tags=name_tag(name), opts=self.child())
        for number, subnet in enumerate(subnets, 1):
            suffix = f"-{number}" if len(subnets) > 1 else ""
            aws.ec2.RouteTableAssociation(
                f"{name}-association{suffix}", route_table_id=table.id, subnet_id=subnet.id, opts=self.child()
            )
        return table

    def _route_to_internet(self, subnets: Sequence[aws.ec2.Subnet]) -> aws.ec2.Route:
        gateway = aws.ec2.InternetGateway(
            f"{self.name}-internet",
            vpc_id=self.vpc_id,
            tags=name_tag(self.name),
            # The provider would move it to another VPC, and AWS keeps it where anything has a public address.
            opts=self.child(replace_on_changes=["vpc_id"]),
        )
        return aws.ec2.Route(
            f"{self.name}-public-default",
            route_table_id=self._create_route_table("public", subnets).id,
            destination_cidr_block=_ANYWHERE,
            gateway_id=gateway.id,
            opts=self.child(),
        )

    def _route_through_nat(
        self, tables: Sequence[aws.ec2.RouteTable], subnets: Sequence[aws.ec2.Subnet], internet: aws.ec2.Route
    ) -> None:
        gateways = []
        for number, subnet in enumerate(subnets, 1):
            name = f"{self.name}-nat-{number}"
            address = aws.ec2.Eip(f"{name}-address", domain="vpc", tags=name_tag(name), opts=self.child())
            gateways.append(
                aws.ec2.NatGateway(
                    name,
                    allocation_id=address.allocation_id,
                    subnet_id=subnet.id,
                    tags=name_tag(name),
                    # A second gateway cannot have the address before the first one has let it go.
                    opts=self.child(depends_on=[internet], delete_before_replace=True),
                )
            )
        for number, table in enumerate(tables):
            aws.ec2.Route(
                f"{self.name}-private-{number + 1}-default",
                route_table_id=table.id,
                destination_cidr_block=_ANYWHERE,
                nat_gateway_id=gateways[number % len(gateways)].id,
                opts=self.child(),
            )

    def _create_gateway_endpoints(self, tables: Sequence[aws.ec2.RouteTable]) -> None:
        for service in ("dynamodb", "s3"):
            aws.ec2.VpcEndpoint(
                f"{self.name}-{service}",
                vpc_id=self.vpc_id,
                service_name=interface_service(self, service),
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in tables],
                tags=name_tag(f"{self.name}-{service}"),
                opts=self.child(),
            )
