"""EncryptionKey: a customer-managed KMS key that the services of this library may use.

AWS-managed keys (``alias/aws/sqs``) cannot receive from SNS, S3 or EventBridge: the messages vanish. SSE-SQS works and
costs nothing; a customer-managed key is for those who must control and audit it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document
from components.core.place import place_of
from components.core.validation import Range, check

__all__ = ["EncryptionKey", "EncryptionKeyArgs"]

# Who encrypts on a producer's behalf: rules, topics, alarm actions and bucket notifications.
_SENDING_SERVICES = ("cloudwatch.amazonaws.com", "events.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com")

# Everything an administrator does to a key; kms:* would also let them use it without a trace in the policy.
_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:DeleteAlias",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:ListRetirableGrants",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)


@dataclass(frozen=True, kw_only=True)
class EncryptionKeyArgs:
    """Arguments of `EncryptionKey`.

    Attributes:
        deletion_window_days: 7 to 30, default 30: how long a deleted key can be brought back.
    """

    deletion_window_days: int = 30


_RULES = (Range("deletion_window_days", 7, 30, "days"),)


class EncryptionKey(Component):
    """A rotating symmetric key with an alias; its policy lets this account's IAM policies and AWS's senders use it.

    Attributes:
        arn: the key's ARN.
        key: the raw key.
    """

    def __init__(
        self, name: str, args: EncryptionKeyArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        args = args or EncryptionKeyArgs()
        check(f"EncryptionKey {name!r}", args, _RULES)
        self.key = aws.kms.Key(
            name,
            description=f"Queues and topics of {pulumi.get_stack()}",
            deletion_window_in_days=args.deletion_window_days,
            enable_key_rotation=True,
            policy=self._policy(),
            # EventBridge uses a key for a connection's secret only if it has this tag (EventBridge user guide,
            # "Encrypting EventBridge connection authorization with AWS KMS keys").
            tags={"EventBridgeApiDestinations": "true"},
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.key.arn
        aws.kms.Alias(f"{name}-alias", target_key_id=self.key.key_id, opts=self.child())
        self.publish({"arn": self.arn})

    def use(self) -> Statement:
        """For the role of whoever sends to and receives from resources encrypted with this key."""
        return Statement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self.arn])

    def _policy(self) -> pulumi.Output[str]:
        partition, _, account_id = place_of(self)
        root = pulumi.Output.concat("arn:", partition, ":iam::", account_id, ":root")
        this_key = "in a key policy, '*' is the key itself"
        return policy_document(
            [
                Statement(
                    sid="AccountByIamPolicies",
                    principals={"AWS": root},
                    actions=_ADMINISTRATION,
                    resources=["*"],
                    why_any_resource=this_key,
                ),
                Statement(
                    sid="ServicesThatSend",
                    principals={"Service": list(_SENDING_SERVICES)},
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": account_id}},
                    why_any_resource=this_key,
                ),
            ]
        )
