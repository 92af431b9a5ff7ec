"""AWS IAM: roles and their policies."""

from __future__ import annotations

import json
from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_role", "create_role_policy", "create_role_policy_attachment"]

_MAX_ROLE_NAME = 64
_MAX_POLICY_NAME = 128


def _document(policy: Any) -> str:
    """The provider takes a policy as text or as an object."""
    return policy if isinstance(policy, str) else json.dumps(policy)


@creates(
    "aws:iam/role:Role",
    "assumeRolePolicy",
    "description",
    "forceDetachPolicies",  # concerns the deletion only
    "maxSessionDuration",
    "name",
    "path",
    "permissionsBoundary",
)
def create_role(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_ROLE_NAME)
    role = request.call(
        "iam",
        "create_role",
        RoleName=name,
        AssumeRolePolicyDocument=_document(request["assumeRolePolicy"]),
        **request.pick("description", "maxSessionDuration", "path", "permissionsBoundary"),
    )["Role"]
    return Created(name, {"name": name, "arn": role["Arn"], "uniqueId": role["RoleId"]})


@creates("aws:iam/rolePolicy:RolePolicy", "name", "policy", "role")
def create_role_policy(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_POLICY_NAME)
    role = request["role"]
    request.call("iam", "put_role_policy", RoleName=role, PolicyName=name, PolicyDocument=_document(request["policy"]))
    return Created(f"{role}:{name}", {"name": name})


@creates("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "policyArn", "role")
def create_role_policy_attachment(request: Request) -> Created:
    request.call("iam", "attach_role_policy", RoleName=request["role"], PolicyArn=request["policyArn"])
    return Created(f"{request['role']}/{request['policyArn']}", {})
