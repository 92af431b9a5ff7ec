"""KinesisStream: an encrypted Kinesis data stream, its registered consumers, and exact grants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.iam import Statement
from components.core.naming import check_name
from components.core.validation import Check, OneOf, Range, check
from components.encryption import EncryptionKey

__all__ = ["MAX_CONSUMERS", "KinesisStream", "KinesisStreamArgs", "StreamConsumer", "StreamMode"]

MAX_CONSUMERS = 20
"""Kinesis quotas: registered consumers (enhanced fan-out) of one stream."""

_AWS_MANAGED_KEY = "alias/aws/kinesis"


class StreamMode(StrEnum):
    """Who counts the shards."""

    ON_DEMAND = "ON_DEMAND"
    """Kinesis: starts with 4 shards, follows the traffic; billed per stream-hour and GB."""
    PROVISIONED = "PROVISIONED"
    """You: `shard_count` shards of 1 MB/s or 1,000 records/s in, 2 MB/s out; billed per shard-hour."""


@dataclass(frozen=True, kw_only=True)
class KinesisStreamArgs:
    """Arguments of `KinesisStream` (Kinesis Data Streams developer guide, "Quotas and limits").

    Attributes:
        mode: default on demand. A change is made in place, twice in 24 hours at most.
        shard_count: provisioned only, and then required: 1 to 10,000. A change splits and merges shards in place; at
            most double or half of the present number at a time.
        retention_hours: how long records stay, 24 to 8,760; default 24. Longer is billed, and it is the time that a
            failing consumer leaves its owner before records are lost.
        max_record_size_kib: 1,024 to 10,240; default None, Kinesis's own 1,024.
        shard_metrics: CloudWatch metrics of each shard, billed; default none: alarms need the stream's only.
        encryption_key: customer-managed key; default None, the key that AWS manages for Kinesis.
    """

    mode: StreamMode = StreamMode.ON_DEMAND
    shard_count: int | None = None
    retention_hours: int = 24
    max_record_size_kib: int | None = None
    shard_metrics: Sequence[str] = ()
    encryption_key: EncryptionKey | None = None


_SHARD_METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)

_RULES = (
    OneOf("mode", tuple(item.value for item in StreamMode)),
    Range("shard_count", 1, 10_000, "shards"),
    Range("retention_hours", 24, 8_760, "hours"),
    Range("max_record_size_kib", 1_024, 10_240, "KiB"),
    Check(
        ("mode", "shard_count"),
        lambda args: args.mode == StreamMode.PROVISIONED and args.shard_count is None,
        "shard_count is not set; a provisioned stream needs it, e.g. 2",
    ),
    Check(
        ("mode", "shard_count"),
        lambda args: args.mode == StreamMode.ON_DEMAND and args.shard_count is not None,
        lambda args: (
            f"shard_count is {args.shard_count}, but an on-demand stream counts its shards itself; leave it unset or "
            "set mode to PROVISIONED"
        ),
    ),
    Check(
        ("shard_metrics",),
        lambda args: bool(set(args.shard_metrics) - set(_SHARD_METRICS)),
        lambda args: f"shard_metrics are {list(args.shard_metrics)}; allowed are {', '.join(_SHARD_METRICS)}",
    ),
)


@dataclass(frozen=True, kw_only=True)
class StreamConsumer:
    """A registered consumer: its own 2 MB/s of each shard, pushed (enhanced fan-out; billed per shard-hour and GB).

    Attributes:
        arn, consumer_name: of the consumer.
        consumer: the raw consumer.
    """

    arn: pulumi.Output[str]
    consumer_name: pulumi.Output[str]
    consumer: aws.kinesis.StreamConsumer


class KinesisStream(Component):
    """A stream that any number of applications read, each at its own place.

    Attributes:
        arn, stream_name: of the stream.
        stream: the raw stream.
        consumers: the registered ones, by the name given to `register_consumer`.
        mode, shard_count, retention_hours: in force; `shard_count` is None on demand.
    """

    def __init__(
        self, name: str, args: KinesisStreamArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        args = args or KinesisStreamArgs()
        check(f"KinesisStream {name!r}", args, _RULES)
        self.mode = args.mode
        self.shard_count = args.shard_count
        self.retention_hours = args.retention_hours
        self.encryption_key = args.encryption_key
        self.stream = aws.kinesis.Stream(
            name,
            stream_mode_details=aws.kinesis.StreamStreamModeDetailsArgs(stream_mode=args.mode),
            shard_count=args.shard_count,
            retention_period=args.retention_hours,
            max_record_size_in_kib=args.max_record_size_kib,
            shard_level_metrics=sorted(args.shard_metrics) or None,
            encryption_type="KMS",
            kms_key_id=args.encryption_key.arn if args.encryption_key else _AWS_MANAGED_KEY,
            opts=self.child(),
        )
        self.arn: pulumi.Output[str] = self.stream.arn
        self.stream_name: pulumi.Output[str] = self.stream.name
        self.consumers: dict[str, StreamConsumer] = {}
        self.publish({"arn": self.arn, "stream_name": self.stream_name})

    def register_consumer(self, name: str) -> StreamConsumer:
        """Register a consumer for enhanced fan-out.

        Args:
            name: of the application; a change replaces the consumer.

        Raises:
            InvalidArgsError: registered twice, or more than `MAX_CONSUMERS`.
        """
        where = f"KinesisStream {self.name!r}"
        check_name(name)
        if name in self.consumers:
            raise InvalidArgsError(where, [f"the consumer {name!r} is registered twice; share it or take another name"])
        if len(self.consumers) == MAX_CONSUMERS:
            raise InvalidArgsError(where, [f"the consumer {name!r} is one more than the {MAX_CONSUMERS} of a stream"])
        raw = aws.kinesis.StreamConsumer(f"{self.name}-{name}", stream_arn=self.arn, opts=self.child())
        self.consumers[name] = StreamConsumer(arn=raw.arn, consumer_name=raw.name, consumer=raw)
        return self.consumers[name]

    def put(self) -> list[Statement]:
        """What a producer's role needs."""
        actions = ["kinesis:PutRecord", "kinesis:PutRecords"]
        return [Statement(actions=actions, resources=[self.arn]), *self._use_key()]

    def read(self) -> list[Statement]:
        """What the role of a consumer that polls needs; all of those share 2 MB/s and 5 reads a second of a shard."""
        actions = ["kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"]
        return [Statement(actions=actions, resources=[self.arn]), *self._use_key()]

    def read_enhanced(self, consumer: StreamConsumer) -> list[Statement]:
        """What the role of a registered consumer needs."""
        return [
            Statement(actions=["kinesis:ListShards"], resources=[self.arn]),
            Statement(actions=["kinesis:SubscribeToShard"], resources=[consumer.arn]),
            *self._use_key(),
        ]

    def _use_key(self) -> list[Statement]:
        return [self.encryption_key.use()] if self.encryption_key else []
