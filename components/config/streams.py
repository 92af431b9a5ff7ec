"""Settings of a Kinesis stream: of one pattern, or shared by several (``eda:streams``)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from components.config.base import Settings

__all__ = ["StreamMode", "StreamSettings"]


class StreamMode(StrEnum):
    """Who counts the shards."""

    ON_DEMAND = "on-demand"
    PROVISIONED = "provisioned"


class StreamSettings(Settings):
    """A Kinesis data stream."""

    mode: StreamMode = Field(
        StreamMode.ON_DEMAND,
        description="on-demand (follows the traffic, about 30 USD a month and a fee per GB) or provisioned (about 11 "
        "USD a month for each shard); default on-demand",
    )
    shards: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="a whole number from 1 to 10,000, with mode: provisioned; each takes 1 MB or 1,000 records a "
        "second; a change by more than double or half needs several deploys; default 1",
    )
    retention_hours: int = Field(
        24, ge=24, le=8760, description="a whole number from 24 to 8,760 hours; over 24 is billed; default 24"
    )

    @model_validator(mode="after")
    def _shards_of_a_provisioned_stream(self) -> Self:
        if self.shards is not None and self.mode is not StreamMode.PROVISIONED:
            raise ValueError("shards needs mode: provisioned; an on-demand stream counts its shards itself")
        return self

    @property
    def shard_count(self) -> int | None:
        """None on demand."""
        return (self.shards or 1) if self.mode is StreamMode.PROVISIONED else None
