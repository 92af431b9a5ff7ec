"""May an AWS service invoke this function?

Real Lambda asks the function's own policy; MiniStack does so only with AUTH=true. A rule whose function has no
permission for it loses every event, so it is always checked here.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

from ops.local.server.scopes import current_scope

__all__ = ["invoke_refusal"]


def invoke_refusal(function: dict[str, Any], *, service: str, source_arn: str) -> str | None:
    """Why `service` may not invoke `function` (MiniStack's record) on behalf of `source_arn`; None when it may."""
    scope, arn = current_scope(), str(function["config"]["FunctionArn"])
    context = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=arn,
        region=scope.region,
        secure_transport=True,
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": scope.account_id},
    )
    policy = json.dumps(function.get("policy") or {})
    if evaluate_resource_policy(policy, context, service=service).decision == "Allow":
        return None
    return (
        f"The policy of {arn} does not allow {service} to lambda:InvokeFunction for {source_arn}. "
        "Fix: a permission with that principal and source ARN."
    )
