"""Topic: an SNS topic with its one policy; every subscription has a dead-letter queue."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.outputs import json_text
from components.core.resource_policy import TOPIC_POLICY, ResourcePolicyBuilder
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey
from components.routers.subscriptions import TOPICS_SERVICE, Subscription
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs

__all__ = ["Topic", "TopicArgs"]


@dataclass(frozen=True, kw_only=True)
class TopicArgs:
    """Arguments of `Topic`.

    Attributes:
        fifo: order per message group, duplicates dropped for 5 minutes. Default False. **A change replaces the topic.**
        content_based_deduplication: FIFO only: the body's hash is the deduplication id. Default False.
        high_throughput: FIFO only: quotas per message group instead of per topic. Default False.
        archive_days: FIFO only: messages are kept for replay, 1 to 365 days; default None, no archive. **SNS refuses to
            delete a topic with an archive**, and the provider cannot turn it off: `aws sns set-topic-attributes
            --attribute-name ArchivePolicy --attribute-value {}` does, and deletes the archive.
        encryption_key: customer-managed key; default None, no encryption at rest: AWS's own key refuses EventBridge.
        description: the topic's display name, up to 100 characters.
    """

    fifo: bool = False
    content_based_deduplication: bool = False
    high_throughput: bool = False
    archive_days: int | None = None
    encryption_key: EncryptionKey | None = None
    description: str | None = None


def _needs_fifo(field: str, why: str) -> Check:
    return Check(
        ("fifo", field),
        lambda args: bool(getattr(args, field)) and not args.fifo,
        f"{field} needs fifo=True: {why}",
    )


_RULES = (
    Range("archive_days", 1, 365, "days"),
    _needs_fifo("content_based_deduplication", "a standard topic does not deduplicate"),
    _needs_fifo("high_throughput", "a standard topic has no such limit"),
    _needs_fifo("archive_days", "a standard topic keeps nothing"),
    Check(
        ("description",),
        lambda args: args.description is not None and len(args.description) > 100,
        lambda args: f"description has {len(args.description)} characters; SNS allows 100",
    ),
)


class Topic(Component):
    """Sends each message to every subscriber whose filter lets it through.

    Attributes:
        arn, topic_name: of the topic.
        fifo: in force.
        topic, policy: the raw resources.
    """

    def __init__(self, name: str, args: TopicArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or TopicArgs()
        check(f"Topic {name!r}", args, _RULES)
        self.fifo = args.fifo
        self.encryption_key = args.encryption_key
        self.topic = aws.sns.Topic(
            name,
            fifo_topic=args.fifo or None,
            content_based_deduplication=args.content_based_deduplication or None,
            fifo_throughput_scope="MessageGroup" if args.high_throughput else None,
            archive_policy=json.dumps({"MessageRetentionPeriod": str(args.archive_days)})
            if args.archive_days
            else None,
            kms_master_key_id=args.encryption_key.arn if args.encryption_key else None,
            display_name=args.description,
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.topic.arn
        self.topic_name: pulumi.Output[str] = self.topic.name
        self._policy = ResourcePolicyBuilder(TOPIC_POLICY, self.arn, f"Topic {name!r}")
        self.policy = aws.sns.TopicPolicy(
            f"{name}-policy", arn=self.arn, policy=self._policy.document(), opts=self.child()
        )
        self._subscribers: set[str] = set()
        self.publish({"arn": self.arn, "topic_name": self.topic_name})

    def accept_from(self, service: str, source_arn: pulumi.Input[str]) -> None:
        """Let an AWS service publish on behalf of the rule, alarm or bucket with this ARN."""
        self._policy.allow_service(service, source_arn)

    def send(self) -> list[Statement]:
        """What a producer's role needs."""
        key = [self.encryption_key.use()] if self.encryption_key else []
        return [Statement(actions=["sns:Publish"], resources=[self.arn]), *key]

    def subscribe(self, subscription: Subscription) -> DeadLetterQueue:
        """Add a subscriber.

        Returns:
            The queue ``<topic>-<subscription>-undelivered`` of what SNS could not deliver to it: FIFO on a FIFO topic.

        Raises:
            InvalidArgsError: there is one of this name, or a FIFO topic cannot deliver to it.
        """
        self._check_subscriber(subscription)
        child_name = f"{self.name}-{subscription.name}"
        undelivered = DeadLetterQueue(
            f"{child_name}-undelivered",
            DeadLetterQueueArgs(fifo=self.fifo, encryption_key=self.encryption_key),
            self.child(),
        )
        undelivered.accept_from(TOPICS_SERVICE, self.arn)
        undelivered.refuse_redrive()
        binding = subscription.bind(self)
        chosen = subscription.filter
        aws.sns.TopicSubscription(
            child_name,
            topic=self.arn,
            protocol=binding.protocol,
            endpoint=binding.endpoint,
            raw_message_delivery=binding.raw or None,
            filter_policy=json.dumps(chosen.policy) if chosen else None,
            filter_policy_scope=chosen.scope.value if chosen else None,
            delivery_policy=json.dumps(binding.delivery_policy) if binding.delivery_policy else None,
            redrive_policy=json_text({"deadLetterTargetArn": undelivered.arn}),
            # A message that comes before the queues accept it would be lost with its dead letter.
            opts=self.child(depends_on=[*binding.depends_on, undelivered.policy]),
        )
        return undelivered

    def _check_subscriber(self, subscription: Subscription) -> None:
        where = f"Topic {self.name!r}"
        if subscription.name in self._subscribers:
            raise InvalidArgsError(where, [f"{subscription.name!r} is subscribed twice"])
        if self.fifo and not subscription.for_fifo:
            raise InvalidArgsError(
                where,
                [
                    f"{subscription.name!r} is a {type(subscription).__name__}, and a FIFO topic delivers to queues of "
                    "SQS only; subscribe a queue"
                ],
            )
        self._subscribers.add(subscription.name)
