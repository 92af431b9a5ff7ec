"""Queue: an SQS queue with its dead-letter queue and its one policy."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement
from components.core.outputs import json_text
from components.core.resource_policy import QUEUE_POLICY, ResourcePolicyBuilder
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey

__all__ = [
    "DEAD_LETTER_RETENTION_DAYS",
    "DeadLetterQueue",
    "DeadLetterQueueArgs",
    "Queue",
    "QueueArgs",
    "for_rule",
    "visibility_for",
]

DEAD_LETTER_RETENTION_DAYS = 14
"""SQS's maximum. On a standard queue a message's age counts from its first enqueueing, not from its arrival in the DLQ,
so anything shorter may expire before anybody looks."""

_DAY = 86_400
_MAX_MESSAGE_BYTES = 1_048_576
"""SQS's maximum, and its own default. The provider's is a quarter of it: a larger event, which EventBridge takes, would
be refused by the queue and by the dead-letter queue, and lost."""
_MIN_VISIBILITY_SECONDS = 30
_MAX_VISIBILITY_SECONDS = 43_200


def visibility_for(processing_seconds: float) -> int:
    """The visibility timeout, in seconds, of a queue whose messages take this long: six times, from 30 s to 12 h.

    Six times is AWS's guidance for queue consumers (SQS developer guide, "Configuring a queue to trigger Lambda"). The
    worker's heartbeat extends it; this is how long a message of a killed worker stays away.
    """
    return min(_MAX_VISIBILITY_SECONDS, max(_MIN_VISIBILITY_SECONDS, math.ceil(6 * processing_seconds)))


@dataclass(frozen=True, kw_only=True)
class QueueArgs:
    """Arguments of `Queue` (SQS quotas: "Amazon SQS message quotas").

    Attributes:
        fifo: order per message group, duplicates dropped for 5 minutes. Default False. **A change replaces the queue.**
        high_throughput: FIFO only: quotas per message group instead of per queue. Default False.
        content_based_deduplication: FIFO only: the body's hash is the deduplication id. Default False. A rule can send
            to the queue only with it (`for_rule`).
        processing_seconds: seconds to process one message, 0.001 to 7,200; default 5. Sizes the visibility timeout.
        visibility_timeout_seconds: 0 to 43,200; not below processing_seconds; default `visibility_for` it.
        max_receive_count: receives before a message is dead-lettered, 1 to 1,000; default 5.
        retention_days: 1 to 14; default 4.
        delay_seconds: 0 to 900 before a new message becomes visible; default 0.
        encryption_key: customer-managed key; default None, which is SSE-SQS (free).
    """

    fifo: bool = False
    high_throughput: bool = False
    content_based_deduplication: bool = False
    processing_seconds: float = 5
    visibility_timeout_seconds: int | None = None
    max_receive_count: int = 5
    retention_days: int = 4
    delay_seconds: int = 0
    encryption_key: EncryptionKey | None = None


def for_rule(args: QueueArgs) -> QueueArgs:
    """The arguments of a queue that a rule sends to: EventBridge gives no deduplication id, so a FIFO queue makes one.

    Events have ids, so two of them never have the same body; a producer's own deduplication id still goes first.
    """
    return replace(args, content_based_deduplication=True) if args.fifo else args


_RULES = (
    Range("processing_seconds", 0.001, 7_200, "seconds", whole=False),
    Range("visibility_timeout_seconds", 0, _MAX_VISIBILITY_SECONDS, "seconds"),
    Range("max_receive_count", 1, 1_000, "receives"),
    Range("retention_days", 1, 14, "days"),
    Range("delay_seconds", 0, 900, "seconds"),
    Check(
        ("fifo", "high_throughput"),
        lambda args: args.high_throughput and not args.fifo,
        "high_throughput needs fifo=True: a standard queue has no such limit",
    ),
    Check(
        ("fifo", "content_based_deduplication"),
        lambda args: args.content_based_deduplication and not args.fifo,
        "content_based_deduplication needs fifo=True: a standard queue does not deduplicate",
    ),
    Check(
        ("visibility_timeout_seconds", "processing_seconds"),
        lambda args: (
            args.visibility_timeout_seconds is not None and args.visibility_timeout_seconds < args.processing_seconds
        ),
        lambda args: (
            f"visibility_timeout_seconds is {args.visibility_timeout_seconds}, less than processing_seconds "
            f"({args.processing_seconds}): every message would be received twice; leave it unset or raise it"
        ),
    ),
)


class _SqsQueue(Component):
    """What a queue and a dead-letter queue share: the queue itself, its policy, its addresses."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(name, opts)
        self.fifo = False
        self.content_based_deduplication = False
        self.encryption_key: EncryptionKey | None = None

    def _create(
        self,
        *,
        fifo: bool,
        retention_days: int,
        encryption_key: EncryptionKey | None,
        high_throughput: bool = False,
        content_based_deduplication: bool = False,
        delay_seconds: int = 0,
        visibility_timeout_seconds: int = _MIN_VISIBILITY_SECONDS,
        redrive_policy: pulumi.Input[str] | None = None,
    ) -> None:
        self.fifo = fifo
        self.content_based_deduplication = content_based_deduplication
        self.encryption_key = encryption_key
        self.visibility_timeout_seconds = visibility_timeout_seconds
        self.queue = aws.sqs.Queue(
            self.name,
            fifo_queue=fifo or None,
            content_based_deduplication=content_based_deduplication or None,
            deduplication_scope="messageGroup" if high_throughput else None,
            fifo_throughput_limit="perMessageGroupId" if high_throughput else None,
            max_message_size=_MAX_MESSAGE_BYTES,
            message_retention_seconds=retention_days * _DAY,
            visibility_timeout_seconds=visibility_timeout_seconds,
            delay_seconds=delay_seconds,
            receive_wait_time_seconds=20,
            sqs_managed_sse_enabled=True if encryption_key is None else None,
            kms_master_key_id=encryption_key.arn if encryption_key else None,
            redrive_policy=redrive_policy,
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.queue.arn
        self.url: pulumi.Output[str] = self.queue.url
        self.queue_name: pulumi.Output[str] = self.queue.name
        self._policy = ResourcePolicyBuilder(QUEUE_POLICY, self.arn, f"{type(self).__name__} {self.name!r}")
        self.policy = aws.sqs.QueuePolicy(
            f"{self.name}-policy", queue_url=self.url, policy=self._policy.document(), opts=self.child()
        )

    def accept_from(self, service: str, source_arn: pulumi.Input[str]) -> None:
        """Let an AWS service send here on behalf of the rule, topic or bucket with this ARN."""
        self._policy.allow_service(service, source_arn)

    def consume(self) -> list[Statement]:
        """What a worker's role needs to receive, extend and delete."""
        return [
            Statement(
                actions=[
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:ChangeMessageVisibility",
                    "sqs:GetQueueAttributes",
                ],
                resources=[self.arn],
            ),
            *self._use_key(),
        ]

    def send(self) -> list[Statement]:
        """What a producer's role needs."""
        return [Statement(actions=["sqs:SendMessage"], resources=[self.arn]), *self._use_key()]

    def _use_key(self) -> list[Statement]:
        return [self.encryption_key.use()] if self.encryption_key else []


@dataclass(frozen=True, kw_only=True)
class DeadLetterQueueArgs:
    """Arguments of `DeadLetterQueue`.

    Attributes:
        fifo: must equal the source's kind; False for what EventBridge could not deliver (it refuses FIFO). Default
            False. **A change replaces the queue.**
        encryption_key: customer-managed key; default None, which is SSE-SQS (free).
    """

    fifo: bool = False
    encryption_key: EncryptionKey | None = None


class DeadLetterQueue(_SqsQueue):
    """A queue for what failed: kept for 14 days, encrypted, TLS only.

    Attributes:
        arn, url, queue_name: of the queue.
        queue: the raw queue.
    """

    def __init__(
        self, name: str, args: DeadLetterQueueArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        args = args or DeadLetterQueueArgs()
        self._create(fifo=args.fifo, retention_days=DEAD_LETTER_RETENTION_DAYS, encryption_key=args.encryption_key)
        self.publish({"arn": self.arn, "url": self.url, "queue_name": self.queue_name})

    def allow_redrive_from(self, queue_arn: pulumi.Input[str]) -> None:
        """Let this queue, and no other, name this one as its dead-letter queue."""
        aws.sqs.RedriveAllowPolicy(
            f"{self.name}-redrive-allow",
            queue_url=self.url,
            redrive_allow_policy=json_text({"redrivePermission": "byQueue", "sourceQueueArns": [queue_arn]}),
            opts=self.child(),
        )

    def refuse_redrive(self) -> None:
        """Let no queue name this one: it holds what a rule or a subscription could not deliver."""
        aws.sqs.RedriveAllowPolicy(
            f"{self.name}-redrive-allow",
            queue_url=self.url,
            redrive_allow_policy=json.dumps({"redrivePermission": "denyAll"}),
            opts=self.child(),
        )


class Queue(_SqsQueue):
    """A queue whose messages are never dropped: after `max_receive_count` receives they are in its dead-letter queue.

    Attributes:
        arn, url, queue_name: of the queue.
        queue: the raw queue.
        dead_letter_queue: `DeadLetterQueue` of the same kind (FIFO or standard), named ``<name>-dlq``.
        visibility_timeout_seconds: in force.
        max_receive_count: in force.
    """

    def __init__(self, name: str, args: QueueArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or QueueArgs()
        check(f"Queue {name!r}", args, _RULES)
        self.max_receive_count = args.max_receive_count
        self.dead_letter_queue = DeadLetterQueue(
            f"{name}-dlq",
            DeadLetterQueueArgs(fifo=args.fifo, encryption_key=args.encryption_key),
            self.child(),
        )
        visibility = args.visibility_timeout_seconds
        self._create(
            fifo=args.fifo,
            high_throughput=args.high_throughput,
            content_based_deduplication=args.content_based_deduplication,
            retention_days=args.retention_days,
            delay_seconds=args.delay_seconds,
            visibility_timeout_seconds=visibility_for(args.processing_seconds) if visibility is None else visibility,
            encryption_key=args.encryption_key,
            redrive_policy=json_text(
                {"deadLetterTargetArn": self.dead_letter_queue.arn, "maxReceiveCount": args.max_receive_count}
            ),
        )
        self.dead_letter_queue.allow_redrive_from(self.arn)
        self.publish({"arn": self.arn, "url": self.url, "queue_name": self.queue_name})
