"""Elastic Load Balancing: Application Load Balancers, target groups, listeners.

The embedded AWS serves load balancers on its own port, told apart by the path, so a load balancer's DNS name has the
endpoint's host and a path here: ``http://<dns name>/events`` works from everywhere on this machine.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ops.local.deployer.registry import Created, Request, creates
from ops.local.errors import LocalError

__all__ = ["create_listener", "create_load_balancer", "create_target_group"]

_MAX_NAME = 32


def _suffix(arn: str, kind: str) -> str:
    """The metric dimension: what follows ``loadbalancer/``, or ``targetgroup/`` and that."""
    resource = arn.split(":", 5)[5]
    return resource.removeprefix("loadbalancer/") if kind == "loadbalancer" else resource


@creates(
    "aws:lb/loadBalancer:LoadBalancer",
    "accessLogs",
    "dropInvalidHeaderFields",
    "enableDeletionProtection",
    "idleTimeout",
    "internal",
    "ipAddressType",
    "loadBalancerType",
    "name",
    "securityGroups",
    "subnets",
)
def create_load_balancer(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    balancer = request.call(
        "elbv2",
        "create_load_balancer",
        Name=name,
        Scheme="internal" if request.get("internal") else "internet-facing",
        Type=request.get("loadBalancerType", "application"),
        **request.pick("ipAddressType", "securityGroups", "subnets"),
    )["LoadBalancers"][0]
    arn = balancer["LoadBalancerArn"]
    attributes = {
        "deletion_protection.enabled": request.get("enableDeletionProtection", False),
        "idle_timeout.timeout_seconds": request.get("idleTimeout", 60),
        "routing.http.drop_invalid_header_fields.enabled": request.get("dropInvalidHeaderFields", False),
    }
    logs = request.get("accessLogs")
    if logs:
        attributes |= {
            "access_logs.s3.enabled": logs.get("enabled", True),
            "access_logs.s3.bucket": logs["bucket"],
            "access_logs.s3.prefix": logs.get("prefix", ""),
        }
    request.call("elbv2", "modify_load_balancer_attributes", LoadBalancerArn=arn, Attributes=_attributes(attributes))
    endpoint = urlsplit(request.context.clients.endpoint_url)
    return Created(
        arn,
        {
            "name": name,
            "arn": arn,
            "arnSuffix": _suffix(arn, "loadbalancer"),
            "dnsName": f"{endpoint.netloc}/_alb/{name}",
            "zoneId": "Z1GM3OXH4ZPM65",
        },
    )


@creates(
    "aws:lb/targetGroup:TargetGroup",
    "deregistrationDelay",
    "healthCheck",
    "loadBalancingAlgorithmType",
    "name",
    "port",
    "protocol",
    "targetType",
    "vpcId",
)
def create_target_group(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    check = request.get("healthCheck", {})
    arn = request.call(
        "elbv2",
        "create_target_group",
        Name=name,
        HealthCheckPath=check.get("path"),
        HealthCheckProtocol=check.get("protocol"),
        HealthCheckIntervalSeconds=check.get("interval"),
        HealthCheckTimeoutSeconds=check.get("timeout"),
        HealthyThresholdCount=check.get("healthyThreshold"),
        UnhealthyThresholdCount=check.get("unhealthyThreshold"),
        Matcher={"HttpCode": check["matcher"]} if "matcher" in check else None,
        **request.pick("port", "protocol", "targetType", "vpcId"),
    )["TargetGroups"][0]["TargetGroupArn"]
    attributes = {
        "deregistration_delay.timeout_seconds": request.get("deregistrationDelay", 300),
        "load_balancing.algorithm.type": request.get("loadBalancingAlgorithmType", "round_robin"),
    }
    request.call("elbv2", "modify_target_group_attributes", TargetGroupArn=arn, Attributes=_attributes(attributes))
    return Created(arn, {"name": name, "arn": arn, "arnSuffix": _suffix(arn, "targetgroup")})


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


@creates("aws:lb/listener:Listener", "defaultActions", "loadBalancerArn", "port", "protocol")
def create_listener(request: Request) -> Created:
    """Plain HTTP only: there are no certificates here."""
    protocol = request.get("protocol", "HTTP")
    if protocol != "HTTP":
        raise LocalError(
            f"the protocol is {protocol}; the embedded AWS serves load balancers over plain HTTP: set "
            "load_balancer.http_only in the local stack"
        )
    actions = []
    for action in request["defaultActions"]:
        if action.get("type") != "forward":
            raise LocalError(f"the action {action.get('type')!r}; the local environment knows only 'forward'")
        actions.append({"type": "forward", "targetGroupArn": action["targetGroupArn"]})
    arn = request.call(
        "elbv2",
        "create_listener",
        DefaultActions=actions,
        Protocol=protocol,
        **request.pick("loadBalancerArn", "port"),
    )["Listeners"][0]["ListenerArn"]
    return Created(arn, {"arn": arn})
