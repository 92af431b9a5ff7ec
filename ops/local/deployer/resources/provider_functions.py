"""The provider functions that the program calls: who, where, which zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.local.deployer.registry import Request, answers

__all__ = ["availability_zones", "caller_identity", "partition", "region"]


@answers("aws:index/getCallerIdentity:getCallerIdentity")
def caller_identity(request: Request) -> Mapping[str, Any]:
    identity = request.call("sts", "get_caller_identity")
    account = identity["Account"]
    return {"id": account, "accountId": account, "arn": identity["Arn"], "userId": identity["UserId"]}


@answers("aws:index/getRegion:getRegion")
def region(request: Request) -> Mapping[str, Any]:
    name = request.get("region") or request.get("name") or request.region
    return {"id": name, "name": name, "region": name, "description": name, "endpoint": f"ec2.{name}.amazonaws.com"}


@answers("aws:index/getPartition:getPartition")
def partition(request: Request) -> Mapping[str, Any]:
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


@answers("aws:index/getAvailabilityZones:getAvailabilityZones")
def availability_zones(request: Request) -> Mapping[str, Any]:
    zones = request.call("ec2", "describe_availability_zones")["AvailabilityZones"]
    chosen = [zone for zone in zones if zone["State"] == request.get("state", zone["State"])]
    return {
        "id": request.region,
        "names": [zone["ZoneName"] for zone in chosen],
        "zoneIds": [zone["ZoneId"] for zone in chosen],
        "groupNames": sorted({zone.get("GroupName", request.region) for zone in chosen}),
    }
