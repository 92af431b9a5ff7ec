from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pulumi
import pytest

from components.core.errors import InvalidArgsError
from components.network import DEFAULT_ENDPOINT_SERVICES, NatMode, Network, NetworkArgs
from tests.recorder import REGION, Recorder, record


def network(*, preview: bool = False, **options: Any) -> Recorder:
    return record(lambda: Network("net", NetworkArgs(**options)), preview=preview)


def published(**options: Any) -> dict[str, Any]:
    """What a service reads from the network, resolved."""
    seen: dict[str, Any] = {}

    def program() -> None:
        made = Network("net", NetworkArgs(**options))
        pulumi.Output.all(
            vpc=made.vpc_id,
            tasks=pulumi.Output.all(*made.task_subnet_ids),
            public=pulumi.Output.all(*made.public_subnet_ids),
            group=made.task_security_group_id,
            assign_public_ip=made.assign_public_ip,
        ).apply(seen.update)

    record(program)
    return seen


def routes_of(recorder: Recorder) -> dict[str, dict[str, Any]]:
    return {item.name: dict(item.inputs) for item in recorder.of_type("aws:ec2/route:Route")}


def test_the_ways_out_do_not_move_to_another_vpc():
    seen: dict[str, pulumi.ResourceOptions] = {}

    def look(args: pulumi.ResourceTransformationArgs) -> None:
        seen[args.name] = args.opts

    record(lambda: Network("net", NetworkArgs(nat=NatMode.GATEWAY), pulumi.ResourceOptions(transformations=[look])))
    assert seen["net-internet"].replace_on_changes == ["vpc_id"]
    assert seen["net-nat-1"].delete_before_replace


def test_the_default_costs_nothing_while_idle():
    recorder = record(lambda: Network("net"))
    assert recorder.children() == {
        "aws:ec2/vpc:Vpc": 1,
        "aws:ec2/subnet:Subnet": 2,
        "aws:ec2/internetGateway:InternetGateway": 1,
        "aws:ec2/routeTable:RouteTable": 1,
        "aws:ec2/route:Route": 1,
        "aws:ec2/routeTableAssociation:RouteTableAssociation": 2,
        "aws:ec2/securityGroup:SecurityGroup": 1,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": 1,
    }
    assert recorder.one("aws:ec2/vpc:Vpc", "net").inputs == {
        "cidrBlock": "10.0.0.0/16",
        "enableDnsHostnames": True,
        "enableDnsSupport": True,
        "tags": {"Name": "test-net"},
    }
    assert routes_of(recorder) == {
        "net-public-default": {
            "destinationCidrBlock": "0.0.0.0/0",
            "gatewayId": "net-internet-0a1b2c3",
            "routeTableId": "net-public-routes-0a1b2c3",
        }
    }
    associated = {item.inputs["subnetId"] for item in recorder.of_type("RouteTableAssociation")}
    assert associated == {"net-public-1-0a1b2c3", "net-public-2-0a1b2c3"}


def test_the_default_runs_tasks_in_public_subnets_of_two_zones():
    assert published() == {
        "vpc": "net-0a1b2c3",
        "tasks": ["net-public-1-0a1b2c3", "net-public-2-0a1b2c3"],
        "public": ["net-public-1-0a1b2c3", "net-public-2-0a1b2c3"],
        "group": "net-tasks-0a1b2c3",
        "assign_public_ip": True,
    }
    subnets = network().of_type("aws:ec2/subnet:Subnet")
    assert sorted((item.inputs["availabilityZone"], item.inputs["cidrBlock"]) for item in subnets) == [
        (f"{REGION}a", "10.0.0.0/19"),
        (f"{REGION}b", "10.0.32.0/19"),
    ]
    assert all("mapPublicIpOnLaunch" not in item.inputs for item in subnets)  # the service decides


def test_nothing_comes_in_and_only_https_goes_out():
    recorder = network()
    assert recorder.of_type("SecurityGroupIngressRule") == []
    group = recorder.one("SecurityGroup", "net-tasks").inputs
    assert "ingress" not in group
    assert "egress" not in group
    assert recorder.one("SecurityGroupEgressRule", "net-tasks-egress-443").inputs == {
        "cidrIpv4": "0.0.0.0/0",
        "fromPort": 443,
        "ipProtocol": "tcp",
        "securityGroupId": "net-tasks-0a1b2c3",
        "toPort": 443,
    }


def test_a_database_is_reached_when_its_port_is_named():
    recorder = network(egress_ports=[5432, 443, 443])
    assert recorder.names("SecurityGroupEgressRule") == ["net-tasks-egress-443", "net-tasks-egress-5432"]


def test_gateway_puts_tasks_in_private_subnets_behind_one_nat():
    recorder = network(nat=NatMode.GATEWAY)
    assert recorder.children() == {
        "aws:ec2/vpc:Vpc": 1,
        "aws:ec2/subnet:Subnet": 4,
        "aws:ec2/internetGateway:InternetGateway": 1,
        "aws:ec2/routeTable:RouteTable": 3,
        "aws:ec2/route:Route": 3,
        "aws:ec2/routeTableAssociation:RouteTableAssociation": 4,
        "aws:ec2/eip:Eip": 1,
        "aws:ec2/natGateway:NatGateway": 1,
        "aws:ec2/vpcEndpoint:VpcEndpoint": 2,
        "aws:ec2/securityGroup:SecurityGroup": 1,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": 1,
    }
    nat = recorder.one("NatGateway", "net-nat-1").inputs
    assert nat["subnetId"] == "net-public-1-0a1b2c3"
    routes = routes_of(recorder)
    assert {routes[f"net-private-{number}-default"]["natGatewayId"] for number in (1, 2)} == {"net-nat-1-0a1b2c3"}
    for service in ("s3", "dynamodb"):
        assert recorder.one("VpcEndpoint", f"net-{service}").inputs == {
            "routeTableIds": ["net-private-1-routes-0a1b2c3", "net-private-2-routes-0a1b2c3"],
            "serviceName": f"com.amazonaws.{REGION}.{service}",
            "tags": {"Name": f"test-net-{service}"},
            "vpcEndpointType": "Gateway",
            "vpcId": "net-0a1b2c3",
        }


def test_gateway_publishes_both_kinds_of_subnets():
    assert published(nat=NatMode.GATEWAY) == {
        "vpc": "net-0a1b2c3",
        "tasks": ["net-private-1-0a1b2c3", "net-private-2-0a1b2c3"],
        "public": ["net-public-1-0a1b2c3", "net-public-2-0a1b2c3"],
        "group": "net-tasks-0a1b2c3",
        "assign_public_ip": False,
    }


def test_a_nat_gateway_in_every_zone_serves_its_own_zone():
    recorder = network(nat=NatMode.GATEWAY, availability_zones=3, nat_gateways=3)
    assert recorder.names("NatGateway") == ["net-nat-1", "net-nat-2", "net-nat-3"]
    routes = routes_of(recorder)
    for number in (1, 2, 3):
        assert routes[f"net-private-{number}-default"]["natGatewayId"] == f"net-nat-{number}-0a1b2c3"
        assert recorder.one("NatGateway", f"net-nat-{number}").inputs["subnetId"] == f"net-public-{number}-0a1b2c3"


def test_endpoints_have_no_way_to_the_internet():
    recorder = network(nat=NatMode.ENDPOINTS)
    assert recorder.children() == {
        "aws:ec2/vpc:Vpc": 1,
        "aws:ec2/subnet:Subnet": 2,
        "aws:ec2/routeTable:RouteTable": 2,
        "aws:ec2/routeTableAssociation:RouteTableAssociation": 2,
        "aws:ec2/vpcEndpoint:VpcEndpoint": 2 + len(DEFAULT_ENDPOINT_SERVICES),
        "aws:ec2/securityGroup:SecurityGroup": 2,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": 1,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": 1,
    }
    assert published(nat=NatMode.ENDPOINTS)["public"] == []
    assert published(nat=NatMode.ENDPOINTS)["assign_public_ip"] is False


def test_an_interface_endpoint_answers_the_tasks_under_its_usual_name():
    recorder = network(nat=NatMode.ENDPOINTS, endpoint_services=["ecr.dkr", "kms"])
    assert recorder.names("VpcEndpoint") == ["net-dynamodb", "net-ecr-dkr", "net-kms", "net-s3"]
    assert recorder.one("VpcEndpoint", "net-ecr-dkr").inputs == {
        "privateDnsEnabled": True,
        "securityGroupIds": ["net-endpoints-0a1b2c3"],
        "serviceName": f"com.amazonaws.{REGION}.ecr.dkr",
        "subnetIds": ["net-private-1-0a1b2c3", "net-private-2-0a1b2c3"],
        "tags": {"Name": "test-net-ecr-dkr"},
        "vpcEndpointType": "Interface",
        "vpcId": "net-0a1b2c3",
    }
    assert recorder.one("SecurityGroupIngressRule", "net-endpoints-ingress").inputs == {
        "fromPort": 443,
        "ipProtocol": "tcp",
        "referencedSecurityGroupId": "net-tasks-0a1b2c3",
        "securityGroupId": "net-endpoints-0a1b2c3",
        "toPort": 443,
    }


def test_an_existing_vpc_gets_a_security_group_only():
    options: dict[str, Any] = {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"], "assign_public_ip": True}
    assert network(**options).children() == {
        "aws:ec2/securityGroup:SecurityGroup": 1,
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": 1,
    }
    assert published(**options) == {
        "vpc": "vpc-1",
        "tasks": ["subnet-1", "subnet-2"],
        "public": [],
        "group": "net-tasks-0a1b2c3",
        "assign_public_ip": True,
    }


def test_an_existing_vpc_needs_no_endpoints_of_ours():
    recorder = network(vpc_id="vpc-1", subnet_ids=["subnet-1"], nat=NatMode.ENDPOINTS)
    assert recorder.of_type("VpcEndpoint") == []


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "172.31.128.0/20", "192.168.4.0/24"])
@pytest.mark.parametrize("zones", [2, 3])
def test_subnets_lie_in_the_vpc_and_do_not_overlap(cidr: str, zones: int):
    recorder = network(cidr=cidr, availability_zones=zones, nat=NatMode.GATEWAY)
    blocks = [IPv4Network(item.inputs["cidrBlock"]) for item in recorder.of_type("aws:ec2/subnet:Subnet")]
    assert len(blocks) == 2 * zones
    assert all(block.subnet_of(IPv4Network(cidr)) for block in blocks)
    assert all(block.prefixlen <= 28 for block in blocks)  # the smallest subnet that AWS makes
    assert not any(one.overlaps(other) for one, other in combinations(blocks, 2))


def test_a_region_with_too_few_zones_is_named(monkeypatch: pytest.MonkeyPatch):
    def two_zones(self: Recorder, args: Any) -> Any:
        answer, failures = original(self, args)
        if "getAvailabilityZones" in args.token:
            answer = {**answer, "names": answer["names"][:2]}
        return answer, failures

    original = Recorder.call
    monkeypatch.setattr(Recorder, "call", two_zones)
    with pytest.raises(ValueError, match="Vpc 'net': availability_zones is 3, but the region has 2"):
        network(availability_zones=3)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"nat": "instance"}, "nat is 'instance'; allowed is one of 'none', 'gateway', 'endpoints'"),
        ({"availability_zones": 1}, "availability_zones is 1; allowed is a whole number from 2 to 3 zones"),
        (
            {"nat": NatMode.GATEWAY, "nat_gateways": 3},
            "nat_gateways is 3; allowed is 1 to 2 (availability_zones)",
        ),
        (
            {"cidr": "10.0.0.1/16"},
            "cidr is '10.0.0.1/16'; allowed is an IPv4 network from /16 to /24, e.g. '10.0.0.0/16'",
        ),
        (
            {"cidr": "10.0.0.0/8"},
            "cidr is '10.0.0.0/8'; allowed is an IPv4 network from /16 to /24, e.g. '10.0.0.0/16'",
        ),
        (
            {"endpoint_services": ["com.amazonaws.x.SQS"]},
            "endpoint_services are ['com.amazonaws.x.SQS']; each is the last part of a service name, e.g. 'sqs'",
        ),
        ({"egress_ports": [0]}, "egress_ports are [0]; each is a TCP port from 1 to 65,535"),
        (
            {"vpc_id": "vpc-1"},
            "vpc_id and subnet_ids go together: give both for an existing VPC, neither for a new one",
        ),
        ({"assign_public_ip": True}, "assign_public_ip is for an existing VPC; in a new one `nat` decides"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_registered(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        network(**options)
    assert str(caught.value) == f"Network 'net': {problem}"


@pytest.mark.parametrize("nat", list(NatMode))
def test_it_runs_with_unknown_outputs(nat: NatMode):
    assert network(preview=True, nat=nat, availability_zones=3).names("SecurityGroup")[-1] == "net-tasks"
