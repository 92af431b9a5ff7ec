"""Settings of Kafka clusters and their topics (``eda:kafka``), which several patterns use."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from components.config.base import Settings

__all__ = ["KafkaClusterSettings", "KafkaKind", "KafkaTopicSettings", "TopicName"]

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]

_PROVISIONED_ONLY = (
    "kafka_version",
    "instance_type",
    "brokers",
    "storage_gib",
    "max_storage_gib",
    "configuration",
    "open_monitoring",
)


class KafkaKind(StrEnum):
    """Who counts the brokers."""

    SERVERLESS = "serverless"
    PROVISIONED = "provisioned"


class KafkaTopicSettings(Settings):
    """One topic."""

    partitions: int = Field(
        4,
        ge=1,
        le=1000,
        description="a whole number from 1 to 1,000: the most tasks of one consumer group that have work; raising it "
        "sends new records of a key elsewhere, out of order for a moment; it is never lowered; default 4",
    )
    retention_hours: int = Field(
        168, ge=1, le=87600, description="a whole number from 1 to 87,600 hours; stored data is billed; default 168"
    )
    max_message_bytes: int | None = Field(
        None, ge=1024, le=8388608, description="a whole number from 1,024 to 8,388,608 bytes; default 1,048,588"
    )


class KafkaClusterSettings(Settings):
    """A cluster of Amazon MSK with IAM authentication over TLS, reached by the stack's tasks only."""

    kind: KafkaKind = Field(
        KafkaKind.SERVERLESS,
        description="serverless (about 550 USD a month, a fee per partition and GB) or provisioned (per broker and GB; "
        "two kafka.t3.small are about 70 USD a month); a change replaces the cluster; default serverless",
    )
    topics: dict[TopicName, KafkaTopicSettings] = Field(
        default_factory=dict,
        description="a map of names (letters, digits and . _ -) to topics, which are created with the cluster",
    )
    kafka_version: str = Field(
        "3.9.x.kraft",
        pattern=r"^(3\.([7-9]|\d\d)|[4-9]\.\d+)\.x\.kraft$",
        description="with kind: provisioned: 3.7.x.kraft or later; never lowered; default 3.9.x.kraft",
    )
    instance_type: str = Field(
        "kafka.m7g.large",
        pattern=r"^kafka\.[a-z0-9]+\.[a-z0-9]+$",
        description="with kind: provisioned, e.g. kafka.t3.small to try it out; default kafka.m7g.large",
    )
    brokers: int | None = Field(
        None,
        ge=2,
        le=30,
        description="with kind: provisioned: a whole number from 2 to 30, a multiple of network.availability_zones; "
        "default one in each zone",
    )
    storage_gib: int = Field(
        100,
        ge=1,
        le=16384,
        description="with kind: provisioned: a whole number from 1 to 16,384 GiB of each broker; default 100",
    )
    max_storage_gib: int | None = Field(
        None,
        ge=1,
        le=16384,
        description="with kind: provisioned: a whole number of GiB that storage may grow to, not below storage_gib; it "
        "never shrinks; default four times storage_gib",
    )
    configuration: dict[str, str] = Field(
        default_factory=dict, description="with kind: provisioned: a map of broker properties to texts; default none"
    )
    open_monitoring: bool = Field(
        False,
        description="true or false, with kind: provisioned: Prometheus exporters on the brokers; default false",
    )

    def problems_in(self, stack: Any) -> list[str]:
        """What does not fit the stack's network: brokers are in its subnets, each in another zone."""
        network = stack.network
        if network.vpc_id and len(network.subnet_ids) not in (2, 3):
            return [f"network: eda:network has {len(network.subnet_ids)} subnet_ids; MSK needs 2 or 3, in other zones"]
        zones = len(network.subnet_ids) or network.availability_zones
        if self.brokers is not None and self.brokers % zones:
            return [f"brokers: is {self.brokers}; allowed: a multiple of the {zones} zones of eda:network"]
        return []

    @model_validator(mode="after")
    def _brokers_of_a_provisioned_cluster(self) -> Self:
        extra = [name for name in _PROVISIONED_ONLY if name in self.model_fields_set]
        if extra and self.kind is not KafkaKind.PROVISIONED:
            raise ValueError(f"{', '.join(extra)}: needs kind: provisioned; a serverless cluster has no such thing")
        if self.max_storage_gib is not None and self.max_storage_gib < self.storage_gib:
            raise ValueError(
                f"max_storage_gib is {self.max_storage_gib}, less than storage_gib ({self.storage_gib}); raise it"
            )
        return self
