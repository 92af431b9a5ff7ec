"""Targets that keep messages: queues, topics, streams, logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from components.core.iam import Statement, policy_document
from components.core.naming import stack_name
from components.encryption import EncryptionKey
from components.routers.targets.base import EVENTS_SERVICE, Addressable, Binding, RetryPolicy, RuleSide, refuse
from components.routers.targets.input import ConstantInput, InputTransformer, TargetInput, example, path_problem
from components.stores.queue import Queue

if TYPE_CHECKING:
    from components.routers.topic import Topic

__all__ = ["MAX_GROUP_CHARACTERS", "KinesisTarget", "LogGroupTarget", "SnsTarget", "SqsTarget"]

MAX_GROUP_CHARACTERS = 100
"""EventBridge API reference, SqsParameters: less than the 128 of SQS."""


@dataclass(frozen=True, kw_only=True)
class SqsTarget:
    """A queue. Its policy gains the rule's ARN.

    Attributes:
        queue: standard; or FIFO with content-based deduplication.
        message_group_id: FIFO only, and then required, up to 100 characters. EventBridge knows only a constant, so all
            events of the rule share one group and are handled one after the other.
        input: default None, the event as it is. A worker of this library reads events: it needs None.
        retry: default None, the rule's.
    """

    queue: Queue
    message_group_id: str | None = None
    input: TargetInput | None = None
    retry: RetryPolicy | None = None

    def __post_init__(self) -> None:
        if self.queue.fifo and not self.message_group_id:
            refuse(
                self,
                self.queue.name,
                ["message_group_id is not set, and a FIFO queue refuses a message without one; e.g. 'orders'"],
            )
        if self.queue.fifo and not self.queue.content_based_deduplication:
            refuse(
                self,
                self.queue.name,
                [
                    "the queue is FIFO without content_based_deduplication: EventBridge sends no deduplication id, and "
                    "SQS would refuse every event; set it"
                ],
            )
        if self.message_group_id and len(self.message_group_id) > MAX_GROUP_CHARACTERS:
            refuse(
                self,
                self.queue.name,
                [
                    f"message_group_id has {len(self.message_group_id)} characters; EventBridge allows "
                    f"{MAX_GROUP_CHARACTERS}"
                ],
            )
        if self.message_group_id and not self.queue.fifo:
            refuse(
                self,
                self.queue.name,
                [f"message_group_id is {self.message_group_id!r}, but the queue is not FIFO; leave it unset"],
            )

    @property
    def name(self) -> str:
        return self.queue.name

    def bind(self, rule: RuleSide) -> Binding:
        self.queue.accept_from(EVENTS_SERVICE, rule.arn)
        group = self.message_group_id
        return Binding(
            arn=self.queue.arn,
            sqs_target=aws.cloudwatch.EventTargetSqsTargetArgs(message_group_id=group) if group else None,
            depends_on=[self.queue.policy],
        )


@dataclass(frozen=True, kw_only=True)
class SnsTarget:
    """A standard topic. Its policy gains the rule's ARN. EventBridge cannot publish to a FIFO topic.

    Attributes:
        topic: of this library.
        input: default None, the event as it is.
        retry: default None, the rule's.
    """

    topic: Topic
    input: TargetInput | None = None
    retry: RetryPolicy | None = None

    def __post_init__(self) -> None:
        if self.topic.fifo:
            refuse(
                self,
                self.topic.name,
                ["the topic is FIFO, which EventBridge cannot publish to; use a FIFO queue as the target"],
            )

    @property
    def name(self) -> str:
        return self.topic.name

    def bind(self, rule: RuleSide) -> Binding:
        self.topic.accept_from(EVENTS_SERVICE, rule.arn)
        return Binding(arn=self.topic.arn, depends_on=[self.topic.policy])


@dataclass(frozen=True, kw_only=True)
class KinesisTarget:
    """A Kinesis data stream.

    Attributes:
        stream: a stream of this program, or `Existing`.
        partition_key_path: path to the value whose equals stay in order, e.g. ``$.detail.data.channel-id``; default
            None: EventBridge takes the event's id, which spreads the events and keeps no order.
        encryption_key: the stream's customer-managed key; default None: it has none.
        input: default None, the event as it is.
        retry: default None, the rule's.
    """

    stream: Addressable
    partition_key_path: str | None = None
    encryption_key: EncryptionKey | None = None
    input: TargetInput | None = None
    retry: RetryPolicy | None = None

    def __post_init__(self) -> None:
        path = self.partition_key_path
        if path is not None and (problem := path_problem(path)):
            refuse(self, self.stream.name, [f"partition_key_path: {problem}"])

    @property
    def name(self) -> str:
        return self.stream.name

    def bind(self, rule: RuleSide) -> Binding:
        path = self.partition_key_path
        statements = [Statement(actions=["kinesis:PutRecord", "kinesis:PutRecords"], resources=[self.stream.arn])]
        if self.encryption_key is not None:
            statements.append(self.encryption_key.use())
        return Binding(
            arn=self.stream.arn,
            statements=statements,
            kinesis_target=aws.cloudwatch.EventTargetKinesisTargetArgs(partition_key_path=path) if path else None,
        )


@dataclass(frozen=True, kw_only=True)
class LogGroupTarget:
    """A CloudWatch log group: each event is a line. It gains a resource policy; a region holds ten of those.

    Attributes:
        name: part of the children's names.
        log_group: in the rule's account and region.
        input: default None, the event as it is. Anything else must be an object with exactly ``timestamp``
            (milliseconds) and ``message``.
        retry: default None, the rule's.
    """

    name: str
    log_group: aws.cloudwatch.LogGroup
    input: ConstantInput | InputTransformer | None = None
    retry: RetryPolicy | None = None

    def __post_init__(self) -> None:
        if self.input is None:
            return
        constant = isinstance(self.input, ConstantInput)
        document = (
            self.input.value if isinstance(self.input, ConstantInput) else json.loads(example(self.input.template))
        )
        if not isinstance(document, dict) or set(document) != {"timestamp", "message"}:
            refuse(
                self,
                self.name,
                [
                    f"{'value' if constant else 'template'} of its input: CloudWatch Logs takes an object with exactly "
                    "timestamp and message"
                ],
            )

    def bind(self, rule: RuleSide) -> Binding:
        group = pulumi.Output.from_input(self.log_group.arn).apply(lambda arn: arn.removesuffix(":*"))
        streams = pulumi.Output.concat(group, ":*")
        account_id = group.apply(lambda arn: arn.split(":")[4])
        principals = {"Service": [EVENTS_SERVICE, "delivery.logs.amazonaws.com"]}
        # EventBridge user guide, "CloudWatch Logs permissions": only PutLogEvents is made on behalf of the rule.
        policy = aws.cloudwatch.LogResourcePolicy(
            f"{rule.child_name}-logs-policy",
            # A policy's name is one of the account's and the region's, and whoever puts it last has it.
            policy_name=stack_name(rule.child_name),
            policy_document=policy_document(
                [
                    Statement(
                        actions=["logs:CreateLogStream"],
                        principals=principals,
                        resources=[streams],
                        conditions={"StringEquals": {"aws:SourceAccount": account_id}},
                    ),
                    Statement(
                        actions=["logs:PutLogEvents"],
                        principals=principals,
                        resources=[streams],
                        conditions={"ArnEquals": {"aws:SourceArn": rule.arn}},
                    ),
                ]
            ),
            opts=rule.owner.child(),
        )
        # The target's ARN is the group's without the ":*" that CloudWatch Logs appends.
        return Binding(arn=group, depends_on=[policy])
