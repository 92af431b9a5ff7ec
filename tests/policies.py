"""A walk over every policy that a program registers: trust, identity and resource policies, wherever they are.

`components.core.iam` refuses most of these when a statement is written. This looks at the finished documents, as the
provider gets them, so a document that was written by hand or changed on its way is found, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.recorder import Recorder, Resource

__all__ = ["ACTIONS_WITHOUT_RESOURCES", "walk_policies"]

ACTIONS_WITHOUT_RESOURCES = {
    "cloudwatch:PutMetricData": "metrics are no resources",
    "ecr:GetAuthorizationToken": "a registry login belongs to the account",
    **dict.fromkeys(
        (
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ),
        "log deliveries and resource policies belong to the account",
    ),
    **dict.fromkeys(
        (
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ),
        "traces belong to the account",
    ),
    "ecs:ListTasks": "its only resource type is the container instance, which Fargate has none of",
    "logs:DescribeLogGroups": "it lists the account's log groups",
    "s3:GetAccountPublicAccessBlock": "the setting belongs to the account",
}
"""Actions that AWS authorises on ``*`` only, with the reason (Service Authorization Reference)."""

_KEY_POLICIES = {"aws:kms/key:Key", "aws:kms/keyPolicy:KeyPolicy"}
"""Here ``*`` is the key itself."""

_SOURCE_KEYS = {"aws:sourcearn", "aws:sourceaccount"}
_LIMITING_OPERATORS = {"stringequals", "stringlike", "arnequals", "arnlike"}
_MAX_BYTES = {"aws:iam/rolePolicy:RolePolicy": 10_240, "aws:iam/policy:Policy": 6_144, "aws:iam/role:Role": 2_048}
"""IAM quotas; of a role it is the trust policy."""

_MWAA_QUEUES = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\*:airflow-celery-\*")
"""The queues between MWAA's schedulers and workers: in accounts of AWS that nobody is told of (MWAA user guide, "Amazon
MWAA execution role")."""

_Statement = Mapping[str, Any]


def walk_policies(recorder: Recorder) -> list[str]:
    """One sentence for each mistake in each policy, with the resource and the property it is in; empty when all is well.

    Texts of which a part is unknown (a preview) are not there and not checked.
    """
    return [
        f"{resource.type} {resource.name}.{path}: {problem}"
        for resource in recorder.resources
        if resource.custom
        for path, text in _texts(resource.inputs, "")
        for problem in _document_problems(resource, path, text)
    ]


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in the inputs with its path; objects that are policies already become texts."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        if "Statement" in value:
            yield path, json.dumps(value)
            return
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence):
        for number, item in enumerate(value):
            yield from _texts(item, f"{path}[{number}]")


def _document_problems(resource: Resource, path: str, text: str) -> Iterator[str]:
    try:
        document = json.loads(text)
    except ValueError:
        if path.rpartition(".")[2] in ("assumeRolePolicy", "policy"):
            yield "is not JSON"
        return
    if not isinstance(document, dict) or "Statement" not in document:
        return
    if document.get("Version") != "2012-10-17":
        yield f"Version is {document.get('Version')!r}; without 2012-10-17 conditions have other meanings"
    if "Output[" in text:
        yield "contains the text of an Output instead of its value; build it with policy_document()"
    limit = _MAX_BYTES.get(resource.type)
    if limit and len(text) > limit:
        yield f"has {len(text):,} characters; IAM allows {limit:,}"
    for number, statement in enumerate(_listed(document["Statement"])):
        for problem in _statement_problems(resource, path, statement):
            yield f"statement {statement.get('Sid', number)}: {problem}"


def _statement_problems(resource: Resource, path: str, statement: _Statement) -> Iterator[str]:
    for key in ("NotAction", "NotResource", "NotPrincipal"):
        if key in statement:
            yield f"{key} covers whatever AWS adds; name what is meant"
    actions = [str(action) for action in _listed(statement.get("Action"))]
    if not actions:
        yield "names no action"
    yield from (f"action {action} has a wildcard" for action in actions if "*" in action or "?" in action)
    if statement.get("Effect") == "Deny":
        return
    if statement.get("Effect") != "Allow":
        yield f"Effect is {statement.get('Effect')!r}; allowed is Allow or Deny"
    if not _trusts_a_service_without_source(path, statement):
        yield from _principal_problems(statement)
    is_trust = path.rpartition(".")[2] == "assumeRolePolicy"
    if is_trust and "Principal" not in statement:
        yield "a trust policy needs a principal"
    if not is_trust:
        yield from _resource_problems(resource, statement, actions)
    yield from _pass_role_problems(statement, actions)


def _trusts_a_service_without_source(path: str, statement: _Statement) -> bool:
    """API Gateway does not document that it sends the source when it assumes a role, so there "if exists" is enough.

    A role is passed to a service within its own account only (IAM user guide, "Grant a user permissions to pass a role").
    """
    only = {"Service": "apigateway.amazonaws.com"}
    given = statement.get("Condition", {}).get("StringEqualsIfExists", {})
    return path.endswith("assumeRolePolicy") and statement.get("Principal") == only and "aws:SourceAccount" in given


def _principal_problems(statement: _Statement) -> Iterator[str]:
    principal = statement.get("Principal")
    named = principal if isinstance(principal, Mapping) else {"AWS": principal} if principal else {}
    if any("*" in _listed(values) for values in named.values()):
        yield "allows every principal"
    if "Service" in named and not _limited_to(statement, _SOURCE_KEYS):
        services = ", ".join(map(str, _listed(named["Service"])))
        yield f"{services} may act for any account: no condition on aws:SourceArn or aws:SourceAccount"


def _resource_problems(resource: Resource, statement: _Statement, actions: Sequence[str]) -> Iterator[str]:
    resources = [str(item) for item in _listed(statement.get("Resource"))]
    if not resources:
        yield "names no resource"
    if resource.type in _KEY_POLICIES:
        return
    if "*" in resources:
        for action in actions:
            through_a_service = action.startswith("kms:") and _limited_to(statement, {"kms:viaservice"})
            if action not in ACTIONS_WITHOUT_RESOURCES and not through_a_service:
                yield f"{action} on every resource; name the ARNs"
    for arn in resources:
        parts = arn.split(":", 5)
        if _MWAA_QUEUES.fullmatch(arn):
            continue
        if arn != "*" and (len(parts) < 6 or "*" in "".join(parts[:5]) or parts[5] in ("", "*")):
            yield f"resource {arn} is not limited to an account's or a service's resource"


def _pass_role_problems(statement: _Statement, actions: Sequence[str]) -> Iterator[str]:
    if "iam:PassRole" not in actions:
        return
    for arn in map(str, _listed(statement.get("Resource"))):
        if "*" in arn or ":role/" not in arn:
            yield f"iam:PassRole on {arn}; name the roles"
    if not _limited_to(statement, {"iam:passedtoservice"}):
        yield "iam:PassRole without a condition on iam:PassedToService"


def _limited_to(statement: _Statement, keys: set[str]) -> bool:
    """Whether a condition requires one of these keys (lower case) to have a value that is not just ``*``."""
    for operator, tests in statement.get("Condition", {}).items():
        if operator.lower() not in _LIMITING_OPERATORS:
            continue
        for key, values in tests.items():
            if key.lower() in keys and values and "*" not in _listed(values):
                return True
    return False


def _listed(value: Any) -> list[Any]:
    """IAM takes one thing or a list of them everywhere."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
