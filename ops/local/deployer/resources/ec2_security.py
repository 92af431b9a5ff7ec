"""Amazon VPC: security groups and their rules."""

from __future__ import annotations

from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_egress_rule", "create_ingress_rule", "create_security_group"]

_ALLOW_ALL = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@creates(
    "aws:ec2/securityGroup:SecurityGroup", "description", "egress", "ingress", "name", "revokeRulesOnDelete", "vpcId"
)
def create_security_group(request: Request) -> Created:
    name = request.physical_name()
    group = request.call(
        "ec2",
        "create_security_group",
        GroupName=name,
        Description=request.get("description", "Managed by Pulumi"),
        **request.pick("vpcId"),
    )["GroupId"]
    # AWS gives a new group a rule that allows all egress, and the provider takes it away again.
    request.call("ec2", "revoke_security_group_egress", GroupId=group, IpPermissions=[_ALLOW_ALL])
    for rule in request.get("ingress", []):
        permissions = _inline_permissions(rule, group)
        request.call("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=permissions)
    for rule in request.get("egress", []):
        permissions = _inline_permissions(rule, group)
        request.call("ec2", "authorize_security_group_egress", GroupId=group, IpPermissions=permissions)
    account = request.context.clients.account
    arn = f"arn:aws:ec2:{request.region}:{account}:security-group/{group}"
    return Created(group, {"name": name, "arn": arn, "ownerId": account})


def _inline_permissions(rule: dict[str, Any], group: str) -> list[dict[str, Any]]:
    description = rule.get("description")
    groups = [*rule.get("securityGroups", []), *([group] if rule.get("self") else [])]
    known = {"cidrBlocks", "ipv6CidrBlocks", "prefixListIds", "securityGroups", "self", "description", "protocol"}
    return [
        {
            **{key: value for key, value in rule.items() if key not in known},  # fromPort, toPort; others are refused
            "ipProtocol": rule["protocol"],
            "ipRanges": [{"cidrIp": cidr, "description": description} for cidr in rule.get("cidrBlocks", [])],
            "ipv6Ranges": [{"cidrIpv6": cidr, "description": description} for cidr in rule.get("ipv6CidrBlocks", [])],
            "prefixListIds": [
                {"prefixListId": prefix, "description": description} for prefix in rule.get("prefixListIds", [])
            ],
            "userIdGroupPairs": [{"groupId": other, "description": description} for other in groups],
        }
    ]


_RULE = (
    "cidrIpv4",
    "cidrIpv6",
    "description",
    "fromPort",
    "ipProtocol",
    "prefixListId",
    "referencedSecurityGroupId",
    "securityGroupId",
    "toPort",
)


@creates("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", *_RULE)
def create_ingress_rule(request: Request) -> Created:
    return _rule(request, "authorize_security_group_ingress")


@creates("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", *_RULE)
def create_egress_rule(request: Request) -> Created:
    return _rule(request, "authorize_security_group_egress")


def _rule(request: Request, operation: str) -> Created:
    note = request.pick("description")
    sources = {
        "cidrIpv4": ("ipRanges", "cidrIp"),
        "cidrIpv6": ("ipv6Ranges", "cidrIpv6"),
        "prefixListId": ("prefixListIds", "prefixListId"),
        "referencedSecurityGroupId": ("userIdGroupPairs", "groupId"),
    }
    permission: dict[str, Any] = request.pick("fromPort", "ipProtocol", "toPort")
    for key, (member, inner) in sources.items():
        if key in request.inputs:
            permission[member] = [{inner: request[key], **note}]
    answer = request.call("ec2", operation, GroupId=request["securityGroupId"], IpPermissions=[permission])
    rule_id = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    arn = f"arn:aws:ec2:{request.region}:{request.context.clients.account}:security-group-rule/{rule_id}"
    return Created(rule_id, {"securityGroupRuleId": rule_id, "arn": arn})
