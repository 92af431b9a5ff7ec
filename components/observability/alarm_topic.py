"""AlarmTopic: where alarms are announced, and who hears of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document
from components.core.place import place_of
from components.core.validation import Check, check
from components.encryption import EncryptionKey

__all__ = ["AlarmTopic", "AlarmTopicArgs"]


@dataclass(frozen=True, kw_only=True)
class AlarmTopicArgs:
    """Arguments of `AlarmTopic`.

    Attributes:
        emails: addresses that get every alarm, after each has confirmed; default none.
        encryption_key: customer-managed key; default None, no encryption at rest: the AWS-managed key of SNS refuses
            CloudWatch, and the alarms would vanish.
    """

    emails: Sequence[str] = ()
    encryption_key: EncryptionKey | None = None


_RULES = (
    Check(
        ("emails",),
        lambda args: any(address.count("@") != 1 for address in args.emails),
        lambda args: f"emails are {list(args.emails)}; each is one address, e.g. 'oncall@example.com'",
    ),
)


class AlarmTopic(Component):
    """A topic that this account's CloudWatch alarms may publish to, over TLS.

    Attributes:
        arn, topic_name: of the topic.
        topic: the raw topic.
    """

    def __init__(
        self, name: str, args: AlarmTopicArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        args = args or AlarmTopicArgs()
        check(f"AlarmTopic {name!r}", args, _RULES)
        self.topic = aws.sns.Topic(
            name, kms_master_key_id=args.encryption_key.arn if args.encryption_key else None, opts=self.child()
        )
        self.arn: pulumi.Output[str] = self.topic.arn
        self.topic_name: pulumi.Output[str] = self.topic.name
        aws.sns.TopicPolicy(f"{name}-policy", arn=self.arn, policy=self._policy(), opts=self.child())
        for address in sorted(set(args.emails)):
            # Named after the address: taking one off the list must not resubscribe, and re-ask, the others.
            suffix = hashlib.sha256(address.encode()).hexdigest()[:8]
            aws.sns.TopicSubscription(
                f"{name}-email-{suffix}", topic=self.arn, protocol="email", endpoint=address, opts=self.child()
            )
        self.publish({"arn": self.arn, "topic_name": self.topic_name})

    def _policy(self) -> pulumi.Output[str]:
        account_id = place_of(self).account_id
        return policy_document(
            [
                Statement(
                    sid="DenyWithoutTls",
                    effect="Deny",
                    principals="*",
                    actions=["sns:Publish"],
                    resources=[self.arn],
                    conditions={"Bool": {"aws:SecureTransport": "false"}},
                ),
                Statement(
                    sid="AlarmsOfThisAccount",
                    principals={"Service": "cloudwatch.amazonaws.com"},
                    actions=["sns:Publish"],
                    resources=[self.arn],
                    conditions={"StringEquals": {"aws:SourceAccount": account_id}},
                ),
            ]
        )
