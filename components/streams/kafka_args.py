"""Arguments of `KafkaCluster` and of its topics, and the rules that they keep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pulumi

from components.core.validation import Check, OneOf, Range, Rule
from components.encryption import EncryptionKey
from components.network import Network

__all__ = ["CLUSTER_RULES", "TOPIC_RULES", "KafkaClusterArgs", "KafkaKind", "KafkaTopicArgs", "MonitoringLevel"]

_VERSION = re.compile(r"(3\.(?:[7-9]|\d\d)|[4-9]\.\d+)\.x\.kraft")
_INSTANCE = re.compile(r"kafka\.[a-z0-9]+\.[a-z0-9]+")

_OWNED_PROPERTIES = frozenset({"auto.create.topics.enable", "default.replication.factor", "min.insync.replicas"})


class KafkaKind(StrEnum):
    """Who counts the brokers."""

    SERVERLESS = "serverless"
    """MSK: billed per cluster-hour (about US$ 550 a month), partition-hour and GB; IAM is its only authentication."""
    PROVISIONED = "provisioned"
    """You: `brokers` of `instance_type`, billed per broker-hour (two kafka.t3.small: about US$ 70 a month) and GB."""


class MonitoringLevel(StrEnum):
    """CloudWatch metrics of a provisioned cluster; all but the first are billed. Consumer lag is in each."""

    DEFAULT = "DEFAULT"
    PER_BROKER = "PER_BROKER"
    PER_TOPIC_PER_BROKER = "PER_TOPIC_PER_BROKER"
    PER_TOPIC_PER_PARTITION = "PER_TOPIC_PER_PARTITION"


@dataclass(frozen=True, kw_only=True)
class KafkaClusterArgs:
    """Arguments of `KafkaCluster` (MSK developer guide, "Amazon MSK quota" and "Supported Apache Kafka versions").

    Attributes:
        network: whose task subnets the brokers are in, 2 or 3 of them in different zones, and whose tasks may connect.
            **A change replaces the cluster.**
        kind: default serverless. **A change replaces the cluster.**
        kafka_version: provisioned only: ``3.7.x.kraft`` or later, without ZooKeeper; default ``3.9.x.kraft``. Raised
            in place, one broker after the other; never lowered.
        instance_type: provisioned only; default ``kafka.m7g.large``. ``kafka.t3.small`` is for trying out: it accepts
            four connections a second with IAM.
        brokers: provisioned only: 2 to 30, a multiple of the subnets; default one in each. Can be raised in place.
        storage_gib: provisioned only: of each broker at the start, 1 to 16,384; default 100. It grows, never shrinks.
        max_storage_gib: provisioned only: how far storage grows by itself, not below `storage_gib`; default four times
            that. Equal to it: not at all.
        storage_target_percent: provisioned only: disk use from which storage grows, 10 to 80; default 70. It
            grows at most once in six hours.
        configuration: provisioned only: broker properties besides those that the component sets; default none.
        monitoring: provisioned only; default the free metrics.
        open_monitoring: provisioned only: Prometheus exporters on the brokers (ports 11001 and 11002), which
            `monitoring_security_group_ids` may read; default False.
        monitoring_security_group_ids: of the scrapers; default none.
        log_retention_days: provisioned only: of the brokers' log; default 30.
        encryption_key: provisioned only: customer-managed key; default None, the key that AWS manages for MSK. **A
            change replaces the cluster.**
    """

    network: Network
    kind: KafkaKind = KafkaKind.SERVERLESS
    kafka_version: str = "3.9.x.kraft"
    instance_type: str = "kafka.m7g.large"
    brokers: int | None = None
    storage_gib: int = 100
    max_storage_gib: int | None = None
    storage_target_percent: int = 70
    configuration: Mapping[str, str] = field(default_factory=dict)
    monitoring: MonitoringLevel = MonitoringLevel.DEFAULT
    open_monitoring: bool = False
    monitoring_security_group_ids: Sequence[pulumi.Input[str]] = ()
    log_retention_days: int = 30
    encryption_key: EncryptionKey | None = None

    @property
    def zones(self) -> int:
        """Subnets that brokers are in."""
        return len(self.network.task_subnet_ids)

    @property
    def broker_count(self) -> int:
        return self.brokers or self.zones

    @property
    def storage_ceiling_gib(self) -> int:
        return self.max_storage_gib or min(16_384, 4 * self.storage_gib)


_PROVISIONED_ONLY: Mapping[str, Any] = {
    "brokers": None,
    "max_storage_gib": None,
    "configuration": {},
    "open_monitoring": False,
    "monitoring_security_group_ids": (),
    "encryption_key": None,
}


def _out_of_place(args: KafkaClusterArgs) -> list[str]:
    if args.kind != KafkaKind.SERVERLESS:
        return []
    return [name for name, unset in _PROVISIONED_ONLY.items() if getattr(args, name) != unset]


CLUSTER_RULES: tuple[Rule, ...] = (
    OneOf("kind", tuple(item.value for item in KafkaKind)),
    OneOf("monitoring", tuple(item.value for item in MonitoringLevel)),
    Range("brokers", 2, 30, "brokers"),
    Range("storage_gib", 1, 16_384, "GiB"),
    Range("max_storage_gib", 1, 16_384, "GiB"),
    Range("storage_target_percent", 10, 80, "percent"),
    Check(
        ("network",),
        lambda args: args.zones not in (2, 3),
        lambda args: f"the network has {args.zones} task subnets; MSK needs 2 or 3, each in another zone",
    ),
    Check(
        ("kind", *_PROVISIONED_ONLY),
        lambda args: bool(_out_of_place(args)),
        lambda args: (
            f"{', '.join(_out_of_place(args))}: a serverless cluster has no such thing; remove it or set kind to "
            "provisioned"
        ),
    ),
    Check(
        ("kafka_version",),
        lambda args: not _VERSION.fullmatch(args.kafka_version),
        lambda args: (
            f"kafka_version is {args.kafka_version!r}; allowed are versions without ZooKeeper from 3.7.x.kraft on, "
            "e.g. '3.9.x.kraft'"
        ),
    ),
    Check(
        ("instance_type",),
        lambda args: not _INSTANCE.fullmatch(args.instance_type),
        lambda args: f"instance_type is {args.instance_type!r}; allowed is a standard broker, e.g. 'kafka.m7g.large'",
    ),
    Check(
        ("network", "brokers"),
        lambda args: args.zones in (2, 3) and args.broker_count % args.zones != 0,
        lambda args: f"brokers is {args.brokers}; allowed is a multiple of the {args.zones} subnets",
    ),
    Check(
        ("storage_gib", "max_storage_gib"),
        lambda args: args.storage_ceiling_gib < args.storage_gib,
        lambda args: (
            f"max_storage_gib is {args.max_storage_gib}, less than storage_gib ({args.storage_gib}); storage never "
            "shrinks"
        ),
    ),
    Check(
        ("configuration",),
        lambda args: bool(_OWNED_PROPERTIES & args.configuration.keys()),
        lambda args: (
            f"configuration sets {', '.join(sorted(_OWNED_PROPERTIES & args.configuration.keys()))}, which follow "
            "from the number of zones; remove them"
        ),
    ),
    Check(
        ("open_monitoring", "monitoring_security_group_ids"),
        lambda args: bool(args.monitoring_security_group_ids) and not args.open_monitoring,
        "monitoring_security_group_ids needs open_monitoring=True: there is nothing to scrape",
    ),
)


@dataclass(frozen=True, kw_only=True)
class KafkaTopicArgs:
    """Arguments of a topic.

    Attributes:
        partitions: 1 to 1,000; default 4. No more tasks of one consumer group than this have work. It can be raised in
            place, which sends a key's new records to another partition: order per key breaks at that moment.
        retention_hours: how long records stay, 1 to 87,600; default 168. Longer is billed, and it is the time that a
            failing consumer leaves its owner before records are lost.
        max_message_bytes: 1,024 to 8,388,608; default None, Kafka's own 1,048,588.
    """

    partitions: int = 4
    retention_hours: int = 168
    max_message_bytes: int | None = None

    def configuration(self) -> dict[str, str]:
        """As Kafka spells it."""
        settings = {"cleanup.policy": "delete", "retention.ms": str(self.retention_hours * 3_600_000)}
        if self.max_message_bytes is not None:
            settings["max.message.bytes"] = str(self.max_message_bytes)
        return settings


TOPIC_RULES: tuple[Rule, ...] = (
    Range("partitions", 1, 1_000, "partitions"),
    Range("retention_hours", 1, 87_600, "hours"),
    Range("max_message_bytes", 1_024, 8_388_608, "bytes"),
)
