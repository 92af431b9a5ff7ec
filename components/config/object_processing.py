"""Settings of the pattern `object-processing`: S3 → default bus → Fargate task."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.config.base import PatternSettings, Settings
from components.config.compute import HandlerSettings
from components.config.queue_worker import DeliverySettings, IdempotencySettings

__all__ = ["BufferSettings", "ObjectProcessingSettings", "ObjectsSettings"]


class ObjectsSettings(Settings):
    """Which objects."""

    bucket: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="an existing bucket whose EventBridge notifications are on; default: one is made",
    )
    prefix: str = Field("", max_length=512, description="what keys begin with, up to 512 characters; default anything")
    suffix: str = Field("", max_length=512, description="what keys end with, up to 512 characters; default anything")


class BufferSettings(Settings):
    """How the dispatcher runs tasks; with burst: buffered."""

    max_running_tasks: int = Field(
        20, ge=1, le=100, description="a whole number from 1 to 100 tasks at the same time; default 20"
    )
    launches_per_second: float = Field(
        5, ge=0.1, le=20, description="tasks started a second, 0.1 to 20 (Fargate's limit for an account); default 5"
    )
    max_receive_count: int = Field(
        5,
        ge=1,
        le=1000,
        description="a whole number from 1 to 1,000: how often a task may fail before its event goes to the "
        "dead-letter queue; default 5",
    )
    oldest_message_seconds: int = Field(
        3600,
        ge=60,
        le=1209600,
        description="a whole number from 60 to 1,209,600: age of the oldest waiting event that raises an alarm; "
        "default 3,600",
    )


class ObjectProcessingSettings(PatternSettings):
    """Each new object of a bucket is processed by a Fargate task of its own."""

    endpoint_services: ClassVar[tuple[str, ...]] = ("ecs",)  # of the dispatcher

    pattern: Literal["object-processing"] = Field(..., description="object-processing")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    objects: ObjectsSettings = Field(
        default_factory=ObjectsSettings, description="which objects; default all of a new bucket"
    )
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    burst: Literal["direct", "buffered"] = Field(
        "buffered",
        description="direct (EventBridge runs the tasks: no idle parts, but a failed task is not run again) or "
        "buffered (a queue and a dispatcher in between: bounded rate, nothing lost); default buffered",
    )
    buffer: BufferSettings = Field(default_factory=BufferSettings, description="with burst: buffered; default 20 tasks")
    processing_seconds: float = Field(
        120, ge=1, le=43200, description="what one task takes with its start, 1 to 43,200 seconds; default 120"
    )
    spot: bool = Field(
        False, description="true or false; with burst: buffered: Fargate Spot, up to 70 % cheaper; default false"
    )
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings, description="EventBridge's retries; default 24 hours"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings, description="how duplicates are dropped; default for 24 hours"
    )

    @model_validator(mode="after")
    def _buffered_only(self) -> Self:
        if self.burst == "direct":
            for name in ("spot", "buffer"):
                if name in self.model_fields_set and getattr(self, name):
                    raise ValueError(f"{name} needs burst: buffered; EventBridge runs each task once, at once")
        return self
