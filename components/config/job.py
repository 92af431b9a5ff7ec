"""Settings of the pattern `job`: a Fargate task that somebody starts on purpose."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.config.base import PatternSettings
from components.config.compute import HandlerSettings

__all__ = ["JobSettings"]


class JobSettings(PatternSettings):
    """Jobs are created by a function, at most one task each, and followed to their end in a table."""

    pattern: Literal["job"] = Field(..., description="job")
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    url: bool = Field(
        True,
        description="true or false; true gives create_job a URL for requests that are signed with IAM credentials; "
        "free; default true",
    )
    patience_seconds: int = Field(
        3600,
        ge=60,
        le=86400,
        description="a whole number from 60 to 86,400 seconds that a job waits for a launch that succeeds (throttling, "
        "capacity) before it has failed; default 3,600",
    )
    retention_days: int = Field(
        30, ge=1, le=3650, description="a whole number from 1 to 3,650 days that an ended job is remembered; default 30"
    )
    reserved_concurrency: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="a whole number from 1 to 1,000 calls of create_job at the same time, taken from the account's own "
        "limit; default: that limit is shared",
    )
    unlaunched_seconds: int = Field(
        300,
        ge=60,
        le=86400,
        description="a whole number from 60 to 86,400: how long a job is without a task before an alarm; default 300",
    )
    unfinished_seconds: int = Field(
        86400,
        ge=60,
        le=1209600,
        description="a whole number from 60 to 1,209,600: how long a job takes before an alarm; default 86,400",
    )
    spot: bool = Field(
        False, description="true or false; Fargate Spot: a job that is reclaimed has failed; default false"
    )
