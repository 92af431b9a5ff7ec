"""IAM statements and the only place where policy documents are built.

Refused at construction, because each has lost somebody a night: wildcard actions, a ``*`` resource without a written
reason, a service principal without aws:SourceArn or aws:SourceAccount, iam:PassRole without iam:PassedToService.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi

from components.core.errors import PolicyError
from components.core.outputs import json_text

__all__ = ["Statement", "pass_role", "policy_document", "service_trust"]

_VERSION = "2012-10-17"
_SOURCE_KEYS = {"aws:SourceArn", "aws:SourceAccount"}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of an identity, trust or resource policy.

    Attributes:
        actions: exact actions, e.g. ``("sqs:SendMessage",)``; wildcards are refused.
        resources: ARNs; None in a trust policy, which has no Resource.
        effect: ``Allow`` or ``Deny``.
        principals: None in an identity policy; ``{"Service": "events.amazonaws.com"}``; or ``"*"``, to deny only.
        conditions: operator → key → value(s).
        why_any_resource: the reason for a ``*`` resource: the action has no resource-level permissions.
        sid: optional, letters and digits.
    """

    actions: Sequence[str]
    resources: Sequence[pulumi.Input[str]] | None = None
    effect: Literal["Allow", "Deny"] = "Allow"
    principals: Mapping[str, pulumi.Input[Any]] | Literal["*"] | None = None
    conditions: Mapping[str, Mapping[str, pulumi.Input[Any]]] = field(default_factory=dict)
    why_any_resource: str | None = None
    sid: str | None = None

    def __post_init__(self) -> None:
        keys = {key for operator in self.conditions.values() for key in operator}
        for action in self.actions:
            if "*" in action:
                raise PolicyError(f"action {action!r}: name each action; a wildcard covers what nobody reviewed")
        if (
            self.effect == "Allow"
            and self.resources is not None
            and "*" in self.resources
            and not self.why_any_resource
        ):
            raise PolicyError(f"{list(self.actions)}: resource '*' needs why_any_resource; else name the ARNs")
        if self.effect == "Allow" and self.principals == "*":
            raise PolicyError(f"{list(self.actions)}: allowing principal '*' opens the resource to every account")
        if isinstance(self.principals, Mapping) and "Service" in self.principals and not keys & _SOURCE_KEYS:
            raise PolicyError(
                f"{list(self.actions)}: a service principal needs a condition on aws:SourceArn or aws:SourceAccount, "
                "else any account can use the service against this resource"
            )
        if "iam:PassRole" in self.actions and "iam:PassedToService" not in keys:
            raise PolicyError("iam:PassRole needs a condition on iam:PassedToService; use pass_role()")

    def with_sid(self, sid: str) -> Statement:
        return dataclasses.replace(self, sid=sid)

    def to_json(self) -> dict[str, Any]:
        """The statement as IAM writes it, Outputs still inside."""
        document: dict[str, Any] = {"Sid": self.sid} if self.sid else {}
        document |= {"Effect": self.effect}
        if self.principals is not None:
            document["Principal"] = self.principals if self.principals == "*" else dict(self.principals)
        document["Action"] = list(self.actions)
        if self.resources is not None:
            document["Resource"] = list(self.resources)
        if self.conditions:
            document["Condition"] = {operator: dict(keys) for operator, keys in self.conditions.items()}
        return document


def policy_document(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """The JSON text of a policy with these statements, in their order."""
    if not statements:
        raise PolicyError("a policy needs at least one statement; do not create the policy instead")
    return json_text({"Version": _VERSION, "Statement": [item.to_json() for item in statements]})


def service_trust(service: str, account_id: pulumi.Input[str]) -> pulumi.Output[str]:
    """The trust policy of a role that an AWS service assumes on behalf of this account only."""
    return policy_document(
        [
            Statement(
                actions=["sts:AssumeRole"],
                principals={"Service": service},
                conditions={"StringEquals": {"aws:SourceAccount": account_id}},
            )
        ]
    )


def pass_role(roles: Sequence[pulumi.Input[str]], service: str) -> Statement:
    """Permission to hand exactly these roles (ARNs) to one service."""
    return Statement(
        actions=["iam:PassRole"],
        resources=roles,
        conditions={"StringEquals": {"iam:PassedToService": service}},
    )
