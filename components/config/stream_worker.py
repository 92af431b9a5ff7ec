"""Settings of the pattern `stream-worker`: Kinesis stream → Fargate workers that share its shards."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.config.base import PatternSettings, Settings
from components.config.compute import CapacitySettings, HandlerSettings
from components.config.events import EventPattern
from components.config.queue_worker import DeliverySettings, IdempotencySettings
from components.config.scaling import TaskRangeSettings
from components.config.streams import StreamSettings

__all__ = [
    "ReadingSettings",
    "Start",
    "StreamChoiceSettings",
    "StreamScalingSettings",
    "StreamWorkerAlarmSettings",
    "StreamWorkerSettings",
]


class Start(StrEnum):
    """Where a new application begins."""

    OLDEST = "oldest"
    LATEST = "latest"


class StreamChoiceSettings(StreamSettings):
    """The pattern's own stream, or, with `name`, one of ``eda:streams``, which several patterns read."""

    name: str | None = Field(
        None, description="a stream of eda:streams, which has its own settings; default: a stream of this pattern"
    )

    @model_validator(mode="after")
    def _shared_streams_have_their_own_settings(self) -> Self:
        extra = sorted(self.model_fields_set - {"name"})
        if self.name is not None and extra:
            raise ValueError(f"{', '.join(extra)}: set at eda:streams, where {self.name!r} is; remove it here")
        return self


class ReadingSettings(Settings):
    """How the workers read the stream."""

    enhanced_fan_out: bool = Field(
        False,
        description="true or false; true reads as a registered consumer: 2 MB/s of each shard of its own, pushed "
        "(about 11 USD a month for each shard and a fee per GB); false polls, and shares 2 MB/s and 5 reads a second "
        "of each shard with all that poll; default false",
    )
    start: Start = Field(
        Start.OLDEST,
        description="oldest or latest: where the application begins when it is new; later changes do nothing; default "
        "oldest",
    )
    batch_size: int = Field(
        500, ge=1, le=10_000, description="a whole number from 1 to 10,000 records per read; default 500"
    )
    max_attempts: int = Field(
        5,
        ge=1,
        le=1000,
        description="a whole number from 1 to 1,000 calls of the handler with one record, before it goes to the "
        "on-failure queue; its partition key waits meanwhile; default 5",
    )
    lease_seconds: int = Field(
        20,
        ge=2,
        le=300,
        description="a whole number from 2 to 300 seconds that the shards of a killed task stay unattended; default 20",
    )


class StreamScalingSettings(TaskRangeSettings):
    """How many tasks run; a shard has one worker at a time."""

    acceptable_latency_seconds: float = Field(
        60, ge=1, le=86400, description="seconds that the workers may be behind the stream, 1 to 86,400; default 60"
    )
    min: int = Field(
        1, ge=1, le=5000, description="a whole number from 1 to 5,000 tasks; a stream has always a reader; default 1"
    )
    max: int | None = Field(
        None,
        ge=1,
        le=5000,
        description="a whole number from 1 to 5,000 tasks, not below min nor above the shards; default the shards, or "
        "4 of an on-demand stream",
    )


class StreamWorkerAlarmSettings(Settings):
    """When to call somebody."""

    behind_seconds: int | None = Field(
        None,
        ge=60,
        le=31536000,
        description="a whole number from 60 to 31,536,000: lag that raises an alarm; default five times "
        "scaling.acceptable_latency_seconds, at least 300",
    )


class StreamWorkerSettings(PatternSettings):
    """Every record of a Kinesis stream goes to Fargate workers, in order for each partition key."""

    endpoint_services: ClassVar[tuple[str, ...]] = ("kinesis-streams",)

    pattern: Literal["stream-worker"] = Field(..., description="stream-worker")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    stream: StreamChoiceSettings = Field(
        default_factory=StreamChoiceSettings, description="the stream; default one of its own, on demand"
    )
    events: EventPattern | None = Field(
        None,
        description="an EventBridge event pattern: which events of the bus go into the stream; default none: producers "
        "put records themselves",
    )
    partition_key: str | None = Field(
        None,
        pattern=r"^\$\.\S+$",
        description="with events: path to the value whose equals stay in order, e.g. $.detail.data.channel-id; "
        "default: no order",
    )
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    reading: ReadingSettings = Field(
        default_factory=ReadingSettings, description="how the stream is read; default polling, from the oldest record"
    )
    scaling: StreamScalingSettings = Field(
        default_factory=StreamScalingSettings, description="how many tasks run; default from 1 to the shards"
    )
    capacity: CapacitySettings = Field(
        default_factory=CapacitySettings, description="on demand or Spot; default on demand"
    )
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings, description="EventBridge's retries, with events; default 24 hours"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings, description="how duplicates are dropped; default for 24 hours"
    )
    alarms: StreamWorkerAlarmSettings = Field(
        default_factory=StreamWorkerAlarmSettings, description="thresholds; default see there"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.partition_key and self.events is None:
            raise ValueError("partition_key needs events: producers choose the key of what they put themselves")
        if self.stream.name is None:
            self._check_max(self.stream)
        return self

    def _check_max(self, stream: StreamSettings) -> None:
        if stream.shard_count is not None and max(self.scaling.max or 1, self.scaling.min) > stream.shard_count:
            most = max(self.scaling.max or 1, self.scaling.min)
            raise ValueError(
                f"scaling allows {most} tasks, more than the {stream.shard_count} shards: a shard has one worker at a "
                "time; lower scaling.max or raise shards"
            )

    def problems_in(self, stack: Any) -> list[str]:
        """What is wrong about the shared stream that it names."""
        name, streams = self.stream.name, stack.streams
        if name is None:
            return []
        if name not in streams:
            known = ", ".join(sorted(streams)) or "there are none; add it to eda:streams"
            return [f"stream.name: there is no stream {name!r}; allowed: {known}"]
        try:
            self._check_max(streams[name])
        except ValueError as error:
            return [f"scaling.max: {error}"]
        return []
