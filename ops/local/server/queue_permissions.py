"""May an AWS service put messages into this queue?

Real SQS asks the queue's own policy; MiniStack does so only with AUTH=true. The missing statement is the classic
mistake of a rule with an SQS target or a dead-letter queue, so it is always checked here.
"""

from __future__ import annotations

from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

from ops.local.server.scopes import current_scope

__all__ = ["send_refusal"]

_AWS_MANAGED_KEYS = ("alias/aws/sqs", "aws/sqs")


def send_refusal(queue: dict[str, Any], *, service: str, source_arn: str, source_account: str) -> str | None:
    """Why `service` may not send to `queue` on behalf of `source_arn`; None when it may.

    Parameters
    ----------
    queue:
        MiniStack's record of the queue.
    service:
        The service principal, e.g. ``events.amazonaws.com``.
    """
    attributes = queue["attributes"]
    queue_arn: str = attributes["QueueArn"]
    key = str(attributes.get("KmsMasterKeyId") or "")
    if key.endswith(_AWS_MANAGED_KEYS):
        return (
            f"{queue_arn} is encrypted with the AWS managed key {key}, which {service} cannot use. "
            "Fix: SSE-SQS, or a customer managed key whose policy allows the service."
        )
    context = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="sqs:SendMessage",
        resource_arn=queue_arn,
        region=current_scope().region,
        secure_transport=True,
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": source_account},
    )
    policy = attributes.get("Policy") or ""
    if policy and evaluate_resource_policy(policy, context, service=service).decision == "Allow":
        return None
    return (
        f"The policy of {queue_arn} does not allow {service} to sqs:SendMessage for {source_arn}. "
        "Fix: a statement with that principal, the action, and ArnEquals aws:SourceArn."
    )
