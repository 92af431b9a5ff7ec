"""Amazon VPC: endpoints (AWS PrivateLink and gateway endpoints)."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_vpc_endpoint"]

_SAME = (
    "dnsOptions",
    "ipAddressType",
    "privateDnsEnabled",
    "routeTableIds",
    "securityGroupIds",
    "serviceName",
    "subnetIds",
    "vpcEndpointType",
    "vpcId",
)


@creates("aws:ec2/vpcEndpoint:VpcEndpoint", "policy", *_SAME)
def create_vpc_endpoint(request: Request) -> Created:
    endpoint = request.call("ec2", "create_vpc_endpoint", **request.pick(*_SAME, PolicyDocument="policy"))[
        "VpcEndpoint"
    ]
    endpoint_id = endpoint["VpcEndpointId"]
    account = request.context.clients.account
    return Created(
        endpoint_id,
        {
            "arn": f"arn:aws:ec2:{request.region}:{account}:vpc-endpoint/{endpoint_id}",
            "state": endpoint.get("State", "available"),
        },
    )
