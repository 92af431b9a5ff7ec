"""Settings of the pattern `scheduled-task`: EventBridge Scheduler → Fargate task."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from components.config.base import PatternSettings, Settings
from components.config.compute import HandlerSettings
from components.routers.schedule_expression import expression_problem, time_zone_problem

__all__ = ["ScheduleSettings", "ScheduledTaskSettings", "StartSettings"]


class ScheduleSettings(Settings):
    """When."""

    expression: str = Field(
        ...,
        description="cron(minute hour day-of-month month day-of-week year), rate(5 minutes) or at(2026-12-24T18:00:00)",
    )
    time_zone: str = Field(
        "UTC", description="a name of the IANA database for cron and at, e.g. Australia/Melbourne; default UTC"
    )
    flexible_window_minutes: int = Field(
        0, ge=0, le=1440, description="a whole number from 0 to 1,440: the run starts within so many minutes; default 0"
    )
    enabled: bool = Field(True, description="true or false; default true")

    @field_validator("expression")
    @classmethod
    def _valid_expression(cls, value: str) -> str:
        if problem := expression_problem(value):
            raise ValueError(problem)
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        if problem := time_zone_problem(value):
            raise ValueError(problem)
        return value


class StartSettings(Settings):
    """How long Scheduler tries to start a run before it goes to the dead-letter queue."""

    maximum_retry_attempts: int = Field(185, ge=0, le=185, description="a whole number from 0 to 185; default 185")
    maximum_event_age_seconds: int = Field(
        3600, ge=60, le=86400, description="a whole number from 60 to 86,400 seconds; default 3,600"
    )


class ScheduledTaskSettings(PatternSettings):
    """A Fargate task runs at given times."""

    pattern: Literal["scheduled-task"] = Field(..., description="scheduled-task")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    schedule: ScheduleSettings = Field(..., description="when it runs")
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    overlap: Literal["allow", "skip", "queue"] = Field(
        "skip",
        description="while the run before is still running: allow (run, too), skip (end at once) or queue (wait in the "
        "task, which is billed); default skip",
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="a map: detail.data of the event that the handler gets; default none"
    )
    start: StartSettings = Field(default_factory=StartSettings, description="retries of the start; default an hour")
    spot: bool = Field(
        False, description="true or false; Fargate Spot: a run that is reclaimed is not repeated; default false"
    )
