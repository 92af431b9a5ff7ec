"""Settings of the pattern `queue-worker`: bus → rule → queue → Fargate workers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from components.config.base import PatternSettings, Settings
from components.config.compute import CapacitySettings, HandlerSettings
from components.config.events import EventPattern, events_field
from components.config.scaling import BacklogSettings, headroom_field, latency_field, processing_field
from contracts.scaling import ScalingPolicy

__all__ = [
    "DeliverySettings",
    "IdempotencySettings",
    "QueueSettings",
    "QueueWorkerSettings",
    "QueuedWorkSettings",
    "ScalingSettings",
]


class QueueSettings(Settings):
    """The queue between the rule and the workers."""

    fifo: bool = Field(False, description="true or false; a change replaces the queue; default false")
    high_throughput: bool = Field(
        False, description="true or false, with fifo: quotas per message group; default false"
    )
    message_group_id: str | None = Field(
        None,
        pattern=r"^[!-~]{1,100}$",
        description="with fifo: the group of all events of the rule (EventBridge knows only a constant), 1 to 100 "
        "characters without spaces; default: the pattern's name",
    )
    max_receive_count: int = Field(
        5, ge=1, le=1000, description="a whole number from 1 to 1,000 receives before the dead-letter queue; default 5"
    )
    retention_days: int = Field(4, ge=1, le=14, description="a whole number from 1 to 14 days; default 4")
    delay_seconds: int = Field(0, ge=0, le=900, description="a whole number from 0 to 900 seconds; default 0")
    batch_size: int = Field(
        10, ge=1, le=10, description="a whole number from 1 to 10 messages that a task receives at once; default 10"
    )
    receive_wait_seconds: int = Field(
        20,
        ge=1,
        le=20,
        description="a whole number from 1 to 20 seconds that a receive waits for the first message; shorter asks, and "
        "costs, more often; default 20",
    )
    visibility_timeout_seconds: int | None = Field(
        None,
        ge=1,
        le=43200,
        description="a whole number from 1 to 43,200 seconds, not below a message's own time; default six times that, "
        "at least 30",
    )

    @model_validator(mode="after")
    def _fifo_only(self) -> Self:
        for name in ("high_throughput", "message_group_id"):
            if getattr(self, name) and not self.fifo:
                raise ValueError(f"{name} needs fifo: true; a standard queue has no such thing")
        return self


class ScalingSettings(BacklogSettings):
    """How many tasks run."""

    policy: ScalingPolicy = Field(
        ScalingPolicy.BACKLOG_PER_TASK,
        description="backlog-per-task (tracks messages per running task) or queue-depth (steps on visible messages); "
        "default backlog-per-task",
    )
    acceptable_latency_seconds: float = latency_field("message")
    processing_seconds: float = processing_field("message")
    headroom: float = headroom_field("message")
    min: int = Field(
        0, ge=0, le=5000, description="a whole number from 0 to 5,000 tasks; default 0, which costs nothing"
    )
    max: int = Field(10, ge=1, le=5000, description="a whole number from 1 to 5,000 tasks, not below min; default 10")


class DeliverySettings(Settings):
    """How long EventBridge tries to deliver to the queue before the event goes to the rule's dead-letter queue."""

    maximum_retry_attempts: int = Field(185, ge=0, le=185, description="a whole number from 0 to 185; default 185")
    maximum_event_age_seconds: int = Field(
        86400, ge=60, le=86400, description="a whole number from 60 to 86,400 seconds; default 86,400"
    )


class IdempotencySettings(Settings):
    """How two copies of an event are recognised."""

    enabled: bool = Field(
        True, description="true or false; false hands every copy to the handler and creates no table; default true"
    )
    expires_hours: int = Field(
        24, ge=1, le=8760, description="a whole number from 1 to 8,760 hours that a key is remembered; default 24"
    )


class QueueWorkerAlarmSettings(Settings):
    """When to call somebody."""

    oldest_message_seconds: int | None = Field(
        None,
        ge=60,
        le=1209600,
        description="a whole number from 60 to 1,209,600: age of the oldest message that raises an alarm; default "
        "three times scaling.acceptable_latency_seconds, at least 300",
    )


class QueuedWorkSettings(Settings):
    """A queue and the service that works it off."""

    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    queue: QueueSettings = Field(default_factory=QueueSettings, description="the queue; default a standard queue")
    scaling: ScalingSettings = Field(default_factory=ScalingSettings, description="how many tasks run; default 0 to 10")
    capacity: CapacitySettings = Field(
        default_factory=CapacitySettings, description="on demand or Spot; default on demand"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings, description="how duplicates are dropped; default for 24 hours"
    )
    alarms: QueueWorkerAlarmSettings = Field(
        default_factory=QueueWorkerAlarmSettings, description="thresholds; default see there"
    )

    @model_validator(mode="after")
    def _visible_long_enough(self) -> Self:
        visibility, processing = self.queue.visibility_timeout_seconds, self.scaling.processing_seconds
        if visibility is not None and visibility < processing:
            raise ValueError(
                f"queue.visibility_timeout_seconds is {visibility}, less than scaling.processing_seconds "
                f"({processing:g}): every message would be received twice; leave it unset or raise it"
            )
        return self


class QueueWorkerSettings(QueuedWorkSettings, PatternSettings):
    """Events of the stack's bus that match a pattern go through a queue to Fargate workers that scale with it."""

    pattern: Literal["queue-worker"] = Field(..., description="queue-worker")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    events: EventPattern = events_field()
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings, description="EventBridge's retries; default 24 hours"
    )
