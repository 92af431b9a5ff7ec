"""Amazon VPC: networks, subnets, routes, gateways."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = [
    "create_elastic_ip",
    "create_internet_gateway",
    "create_nat_gateway",
    "create_route",
    "create_route_table",
    "create_route_table_association",
    "create_subnet",
    "create_vpc",
]


def _arn(request: Request, resource: str, resource_id: str) -> str:
    return f"arn:aws:ec2:{request.region}:{request.context.clients.account}:{resource}/{resource_id}"


@creates("aws:ec2/vpc:Vpc", "cidrBlock", "enableDnsHostnames", "enableDnsSupport", "instanceTenancy")
def create_vpc(request: Request) -> Created:
    vpc = request.call("ec2", "create_vpc", **request.pick("cidrBlock", "instanceTenancy"))["Vpc"]
    vpc_id = vpc["VpcId"]
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):  # ModifyVpcAttribute takes one at a time
        if attribute in request.inputs:
            request.call("ec2", "modify_vpc_attribute", VpcId=vpc_id, **{attribute: {"value": request[attribute]}})
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    main_table = request.call(
        "ec2", "describe_route_tables", Filters=[*of_vpc, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"][0]["RouteTableId"]
    default_group = request.call(
        "ec2", "describe_security_groups", Filters=[*of_vpc, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"][0]["GroupId"]
    return Created(
        vpc_id,
        {
            "arn": _arn(request, "vpc", vpc_id),
            "ownerId": request.context.clients.account,
            "defaultRouteTableId": main_table,
            "mainRouteTableId": main_table,
            "defaultSecurityGroupId": default_group,
        },
    )


@creates("aws:ec2/subnet:Subnet", "availabilityZone", "cidrBlock", "mapPublicIpOnLaunch", "vpcId")
def create_subnet(request: Request) -> Created:
    subnet = request.call("ec2", "create_subnet", **request.pick("availabilityZone", "cidrBlock", "vpcId"))["Subnet"]
    subnet_id = subnet["SubnetId"]
    if request.get("mapPublicIpOnLaunch"):
        request.call("ec2", "modify_subnet_attribute", SubnetId=subnet_id, MapPublicIpOnLaunch={"value": True})
    outputs = {"arn": _arn(request, "subnet", subnet_id), "availabilityZone": subnet["AvailabilityZone"]}
    return Created(subnet_id, outputs)


@creates("aws:ec2/internetGateway:InternetGateway", "vpcId")
def create_internet_gateway(request: Request) -> Created:
    gateway = request.call("ec2", "create_internet_gateway")["InternetGateway"]["InternetGatewayId"]
    if request.get("vpcId"):
        request.call("ec2", "attach_internet_gateway", InternetGatewayId=gateway, VpcId=request["vpcId"])
    return Created(gateway, {"arn": _arn(request, "internet-gateway", gateway)})


_ROUTE = (
    "destinationCidrBlock",
    "destinationIpv6CidrBlock",
    "destinationPrefixListId",
    "gatewayId",
    "natGatewayId",
    "networkInterfaceId",
    "transitGatewayId",
    "vpcEndpointId",
)


@creates("aws:ec2/routeTable:RouteTable", "routes", "vpcId")
def create_route_table(request: Request) -> Created:
    table = request.call("ec2", "create_route_table", VpcId=request["vpcId"])["RouteTable"]["RouteTableId"]
    renamed = {"cidrBlock": "destinationCidrBlock", "ipv6CidrBlock": "destinationIpv6CidrBlock"}
    for route in request.get("routes", []):
        values = {renamed.get(key, key): value for key, value in route.items()}
        request.call("ec2", "create_route", RouteTableId=table, **values)
    return Created(table, {"arn": _arn(request, "route-table", table)})


@creates("aws:ec2/route:Route", "routeTableId", *_ROUTE)
def create_route(request: Request) -> Created:
    table = request["routeTableId"]
    request.call("ec2", "create_route", RouteTableId=table, **request.pick(*_ROUTE))
    return Created(f"r-{table}-{request.get('destinationCidrBlock', '')}", {"state": "active"})


@creates("aws:ec2/routeTableAssociation:RouteTableAssociation", "gatewayId", "routeTableId", "subnetId")
def create_route_table_association(request: Request) -> Created:
    answer = request.call("ec2", "associate_route_table", **request.pick("gatewayId", "routeTableId", "subnetId"))
    return Created(answer["AssociationId"], {})


@creates("aws:ec2/eip:Eip", "domain", "networkBorderGroup")
def create_elastic_ip(request: Request) -> Created:
    answer = request.call("ec2", "allocate_address", **request.pick("domain", "networkBorderGroup"))
    allocation = answer["AllocationId"]
    return Created(
        allocation,
        {
            "allocationId": allocation,
            "publicIp": answer["PublicIp"],
            "arn": _arn(request, "elastic-ip", allocation),
        },
    )


@creates("aws:ec2/natGateway:NatGateway", "allocationId", "connectivityType", "subnetId")
def create_nat_gateway(request: Request) -> Created:
    answer = request.call("ec2", "create_nat_gateway", **request.pick("allocationId", "connectivityType", "subnetId"))
    gateway = answer["NatGateway"]["NatGatewayId"]
    request.client("ec2").get_waiter("nat_gateway_available").wait(
        NatGatewayIds=[gateway], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    addresses = answer["NatGateway"].get("NatGatewayAddresses") or [{}]
    return Created(gateway, {"publicIp": addresses[0].get("PublicIp", "")})
