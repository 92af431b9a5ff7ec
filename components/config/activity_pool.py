"""Settings of the pattern `activity-pool`: objects in S3 → distributed map → activity → pool of Fargate workers."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from components.config.base import PatternSettings, Settings
from components.config.compute import CapacitySettings, HandlerSettings
from components.config.queue_worker import IdempotencySettings
from contracts.errors import ScalingError
from contracts.scaling import backlog_per_task_target

__all__ = ["ActivityPoolSettings", "ItemsSettings", "MapSettings", "PoolRetrySettings", "PoolScalingSettings"]


class ItemsSettings(Settings):
    """What the map goes over."""

    bucket: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="an existing bucket with the objects, or with the lists; default: one is made",
    )
    prefix: str = Field(
        "", max_length=512, description="what the objects' keys begin with, up to 512 characters; default all"
    )
    list: Literal["objects", "inventory", "csv", "json", "jsonl"] = Field(
        "objects",
        description="objects (the bucket is listed when an execution begins), or an object that the execution's input "
        'names, {"key": …}: the manifest.json of an S3 inventory in CSV (inventory), rows (csv), an array (json) or '
        "lines (jsonl); default objects",
    )

    @model_validator(mode="after")
    def _prefix_of_a_listing(self) -> Self:
        if self.prefix and self.list != "objects":
            raise ValueError(f"prefix is for list: objects; with list: {self.list} the list says which; remove it")
        return self


class PoolRetrySettings(Settings):
    """How often a task is tried again whose handler failed, or whose worker was lost."""

    attempts: int = Field(3, ge=0, le=100, description="a whole number from 0 to 100 after the first; default 3")
    interval_seconds: int = Field(
        5, ge=1, le=43200, description="a whole number from 1 to 43,200 before the first retry, then doubled; default 5"
    )
    max_delay_seconds: int = Field(
        300, ge=2, le=86400, description="a whole number from 2 to 86,400, over interval_seconds; default 300"
    )

    @field_validator("max_delay_seconds")
    @classmethod
    def _over_the_interval(cls, value: int, info: ValidationInfo) -> int:
        interval = info.data.get("interval_seconds")
        if interval is not None and value <= interval:
            raise ValueError(f"is {value}, not over interval_seconds ({interval}); raise it")
        return value


class MapSettings(Settings):
    """How the items are handed out."""

    batch_size: int = Field(
        1,
        ge=1,
        le=10_000,
        description="a whole number from 1 to 10,000 items that a worker gets at once, and that are tried again "
        "together; each batch costs a child execution; default 1",
    )
    max_concurrency: int = Field(
        1000,
        ge=1,
        le=10_000,
        description="a whole number from 1 to 10,000 batches that wait or are worked on; default 1,000",
    )
    tolerated_failure_percentage: float = Field(
        0, ge=0, le=100, description="0 to 100 per cent of the items may fail before the map does; default 0"
    )
    timeout_seconds: int = Field(
        ..., ge=4, le=99_999_999, description="a whole number from 4 to 99,999,999: what a worker may take for a batch"
    )
    heartbeat_seconds: int = Field(
        ...,
        ge=3,
        le=86_400,
        description="a whole number from 3 to 86,400, less than timeout_seconds: how long a killed worker stays "
        "unnoticed",
    )
    execution_timeout_seconds: int = Field(
        604_800,
        ge=60,
        le=31_536_000,
        description="a whole number from 60 to 31,536,000 for the whole map; default a week",
    )
    retry: PoolRetrySettings = Field(default_factory=PoolRetrySettings, description="default three times")

    @field_validator("heartbeat_seconds")
    @classmethod
    def _less_than_the_timeout(cls, value: int, info: ValidationInfo) -> int:
        timeout = info.data.get("timeout_seconds")
        if timeout is not None and value >= timeout:
            raise ValueError(f"is {value}, not less than timeout_seconds ({timeout}); lower it")
        return value


class PoolScalingSettings(Settings):
    """How many tasks run: they follow the items that are left."""

    acceptable_latency_seconds: float = Field(
        3600,
        gt=0,
        le=2_592_000,
        description="in how many seconds the items that are left should be done; default 3,600",
    )
    processing_seconds: float = Field(
        1,
        gt=0,
        le=43_200,
        description="seconds that one task spends on one item (with concurrency, its share); default 1",
    )
    min: int = Field(0, ge=0, le=5000, description="a whole number from 0 to 5,000 tasks; default 0")
    max: int = Field(10, ge=1, le=5000, description="a whole number from 1 to 5,000 tasks, not below min; default 10")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.max < self.min:
            raise ValueError(f"max is {self.max}, less than min ({self.min}); lower min or raise max")
        try:
            backlog_per_task_target(self.acceptable_latency_seconds, self.processing_seconds)
        except ScalingError as error:
            raise ValueError(str(error)) from error
        return self


class ActivityPoolSettings(PatternSettings):
    """Many objects, worked off by a pool of tasks instead of a task for each."""

    endpoint_services: ClassVar[tuple[str, ...]] = ("states",)

    pattern: Literal["activity-pool"] = Field(..., description="activity-pool")
    items: ItemsSettings = Field(
        default_factory=ItemsSettings, description="what the map goes over; default all objects of a new bucket"
    )
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    map: MapSettings = Field(..., description="batches, failures, time limits")
    scaling: PoolScalingSettings = Field(
        default_factory=PoolScalingSettings, description="how many tasks run; default 0 to 10"
    )
    capacity: CapacitySettings = Field(
        default_factory=lambda: CapacitySettings(spot=True), description="on demand or Spot; default Spot"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings, description="how repeated batches are dropped; default for 24 hours"
    )

    @model_validator(mode="after")
    def _work_for_all(self) -> Self:
        lanes = self.scaling.max * self.handler.concurrency
        if lanes > self.map.max_concurrency:
            raise ValueError(
                f"scaling.max × handler.concurrency is {lanes:,}, more than map.max_concurrency "
                f"({self.map.max_concurrency:,}): the rest would never get work; lower it or raise max_concurrency"
            )
        return self
