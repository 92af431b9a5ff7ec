"""Settings of the pattern `kafka-worker`: a topic → Fargate workers that share its partitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from components.config.base import PatternSettings, Settings
from components.config.compute import CapacitySettings, HandlerSettings
from components.config.queue_worker import IdempotencySettings
from components.config.scaling import BacklogSettings, headroom_field, latency_field, processing_field

__all__ = [
    "KafkaReadingSettings",
    "KafkaScalingSettings",
    "KafkaWorkerAlarmSettings",
    "KafkaWorkerSettings",
    "Order",
    "Start",
]


class Start(StrEnum):
    """Where a new consumer group begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


class Order(StrEnum):
    """What is handled one after the other."""

    KEY = "key"
    PARTITION = "partition"


class KafkaReadingSettings(Settings):
    """How the workers read the topic."""

    start: Start = Field(
        Start.EARLIEST,
        description="earliest or latest: where the group begins when it is new; later changes do nothing; default "
        "earliest",
    )
    order: Order = Field(
        Order.KEY,
        description="key (records with the same key one after the other, others side by side) or partition (all "
        "records of a partition one after the other); default key",
    )
    batch_size: int = Field(
        500, ge=1, le=10_000, description="a whole number from 1 to 10,000 records per read; default 500"
    )
    max_attempts: int = Field(
        5,
        ge=1,
        le=1000,
        description="a whole number from 1 to 1,000 calls of the handler with one record, before it is dead-lettered; "
        "its key waits meanwhile; default 5",
    )
    session_seconds: int = Field(
        45,
        ge=6,
        le=300,
        description="a whole number from 6 to 300 seconds that the partitions of a killed task stay unattended; "
        "default 45",
    )
    dead_letter_topic: bool = Field(
        True,
        description="true or false; true writes dead-lettered records to `<topic>.<pattern>.dead-letters`, too, "
        "beside the on-failure queue, which is always there; default true",
    )


class KafkaScalingSettings(BacklogSettings):
    """How many tasks run; a partition has one worker at a time."""

    acceptable_latency_seconds: float = latency_field("record")
    processing_seconds: float = processing_field("record")
    headroom: float = headroom_field("record")
    min: int = Field(
        0, ge=0, le=1000, description="a whole number from 0 to 1,000 tasks; default 0: none while there is no lag"
    )
    max: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="a whole number from 1 to the topic's partitions, not below min; default the partitions",
    )


class KafkaWorkerAlarmSettings(Settings):
    """When to call somebody."""

    lag_seconds: int | None = Field(
        None,
        ge=60,
        le=31536000,
        description="a whole number from 60 to 31,536,000: how long the oldest record has waited; default three times "
        "scaling.acceptable_latency_seconds, at least 300",
    )
    lag_records: int | None = Field(
        None, ge=1, description="a whole number from 1: records that wait; default no such alarm"
    )


class KafkaWorkerSettings(PatternSettings):
    """Every record of a Kafka topic goes to Fargate workers, in order for each key."""

    pattern: Literal["kafka-worker"] = Field(..., description="kafka-worker")
    cluster: str = Field(..., min_length=1, description="a cluster of eda:kafka")
    topic: str = Field(..., min_length=1, description="one of its topics; its records are event envelopes in JSON")
    group: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="the consumer group, 1 to 249 letters, digits and . _ -; each group gets every record; a change "
        "begins anew; default the pattern's name",
    )
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    reading: KafkaReadingSettings = Field(
        default_factory=KafkaReadingSettings,
        description="how the topic is read; default by key, from the oldest",
    )
    scaling: KafkaScalingSettings = Field(
        default_factory=KafkaScalingSettings, description="how many tasks run; default 0 to the partitions"
    )
    capacity: CapacitySettings = Field(
        default_factory=CapacitySettings, description="on demand or Spot; default on demand"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings, description="how duplicates are dropped; default for 24 hours"
    )
    alarms: KafkaWorkerAlarmSettings = Field(
        default_factory=KafkaWorkerAlarmSettings, description="thresholds; default see there"
    )

    def problems_in(self, stack: Any) -> list[str]:
        """What is wrong about the cluster and the topic that it names."""
        clusters = stack.kafka
        if self.cluster not in clusters:
            known = ", ".join(sorted(clusters)) or "there are none; add it to eda:kafka"
            return [f"cluster: there is no Kafka cluster {self.cluster!r}; allowed: {known}"]
        topics = clusters[self.cluster].topics
        if self.topic not in topics:
            known = ", ".join(sorted(topics)) or "there are none; add it to its topics"
            return [f"topic: {self.cluster!r} has no topic {self.topic!r}; allowed: {known}"]
        partitions = topics[self.topic].partitions
        most = max(self.scaling.max or 0, self.scaling.min)
        if most > partitions:
            return [
                f"scaling: allows {most} tasks, more than the {partitions} partitions of {self.topic!r}: a partition "
                "has one worker at a time; lower it or raise partitions"
            ]
        return []
