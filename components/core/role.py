"""A role that one AWS service assumes, with one inline policy made of grants."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document, service_trust
from components.core.place import place_of

__all__ = ["create_service_role"]


def create_service_role(
    owner: Component, name: str, *, service: str, statements: Sequence[Statement], description: str
) -> tuple[aws.iam.Role, aws.iam.RolePolicy | None]:
    """Create the role and, if there are statements, its policy, as children of `owner`.

    Whoever needs the permissions at creation time (a state machine, a service) depends on the returned policy: IAM is
    eventually consistent, and the role alone exists before it may do anything.
    """
    account_id = place_of(owner).account_id
    role = aws.iam.Role(
        name, description=description, assume_role_policy=service_trust(service, account_id), opts=owner.child()
    )
    if not statements:
        return role, None
    policy = aws.iam.RolePolicy(
        f"{name}-policy", role=role.name, policy=policy_document(statements), opts=owner.child()
    )
    return role, policy
