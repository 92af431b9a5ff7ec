"""Settings of the pattern `workflow`: bus → rule → state machine → tasks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.config.base import PatternSettings, Settings
from components.config.compute import HandlerSettings
from components.config.events import EventPattern, events_field
from components.config.queue_worker import DeliverySettings, IdempotencySettings

__all__ = ["ExecutionSettings", "StepRetrySettings", "StepSettings", "WorkflowSettings"]

MAX_STEPS = 20


class StepRetrySettings(Settings):
    """How often a handler that failed, or whose worker was killed, is tried again."""

    attempts: int = Field(
        3, ge=0, le=100, description="a whole number from 0 to 100 retries after the first attempt; default 3"
    )
    interval_seconds: int = Field(
        5,
        ge=1,
        le=86400,
        description="a whole number from 1 to 86,400 seconds before the first retry, doubled each time; default 5",
    )
    max_delay_seconds: int = Field(
        300, ge=2, le=86400, description="a whole number from 2 to 86,400 seconds, over interval_seconds; default 300"
    )

    @model_validator(mode="after")
    def _over_the_interval(self) -> Self:
        if self.max_delay_seconds <= self.interval_seconds:
            raise ValueError(
                f"max_delay_seconds is {self.max_delay_seconds}, not over interval_seconds ({self.interval_seconds}); "
                "raise it"
            )
        return self


class StepSettings(Settings):
    """One step: a state of the state machine, and what runs it."""

    name: str = Field(
        ...,
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=20,
        description="1 to 20 lower-case letters, digits and single hyphens; the pattern's name and it have at most 40 "
        "characters; a change replaces the step's resources",
    )
    kind: Literal["request-response", "sync", "callback", "activity"] = Field(
        ...,
        description="request-response (starts a task and goes on), sync (waits until the task has stopped), callback "
        "(waits for the handler's result) or activity (workers that run all the time do it, without the start of a "
        "task)",
    )
    handler: HandlerSettings = Field(..., description="the container that runs the handler")
    timeout_seconds: int | None = Field(
        None,
        ge=1,
        le=31536000,
        description="a whole number from 1 to 31,536,000 seconds for one attempt, the start of its task included; "
        "default 3,600; not with kind: request-response",
    )
    heartbeat_seconds: int | None = Field(
        None,
        ge=3,
        le=86400,
        description="a whole number from 3 to 86,400 seconds, below timeout_seconds, with kind: callback or activity: "
        "how long a killed worker stays unnoticed; a callback's includes the start of its task; default 120 and 30",
    )
    retry: StepRetrySettings = Field(
        default_factory=StepRetrySettings,
        description="of the handler's failures; throttling and missing capacity are retried anyway; default 3 retries",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=5000,
        description="a whole number from 1 to 5,000, with kind: activity: tasks that run all the time; default 1",
    )
    spot: bool = Field(
        False,
        description="true or false; Fargate Spot, up to 70 % cheaper: reclaimed, a step begins again; default false",
    )

    @model_validator(mode="after")
    def _fitting_the_kind(self) -> Self:
        allowed = {
            "request-response": set(),
            "sync": {"timeout_seconds", "retry"},
            "callback": {"timeout_seconds", "heartbeat_seconds", "retry"},
            "activity": {"timeout_seconds", "heartbeat_seconds", "retry", "workers"},
        }[self.kind]
        for name in ("timeout_seconds", "heartbeat_seconds", "retry", "workers"):
            if name in self.model_fields_set and name not in allowed:
                raise ValueError(f"{name} is not for kind: {self.kind}; remove it")
        if self.kind == "request-response" and self.spot:
            raise ValueError("spot is not for kind: request-response: nobody would repeat a reclaimed task; remove it")
        if self.kind in ("callback", "activity") and self.timeout < 4:
            raise ValueError(
                f"timeout_seconds is {self.timeout}; with kind: {self.kind} allowed are 4 or more: the heartbeat is "
                "below it, and at least 3"
            )
        if self.heartbeat_seconds is not None and self.heartbeat_seconds >= self.timeout:
            raise ValueError(
                f"heartbeat_seconds is {self.heartbeat_seconds}, not below timeout_seconds ({self.timeout}); lower it"
            )
        return self

    @property
    def timeout(self) -> int:
        return 3600 if self.timeout_seconds is None else self.timeout_seconds

    @property
    def heartbeat(self) -> int:
        """The default is cut to fit a short timeout."""
        if self.heartbeat_seconds is not None:
            return self.heartbeat_seconds
        return min(30 if self.kind == "activity" else 120, self.timeout - 1)


class ExecutionSettings(Settings):
    """What is kept of executions."""

    log_level: Literal["ALL", "ERROR", "FATAL", "OFF"] = Field(
        "ALL", description="which events of executions are logged: ALL, ERROR, FATAL or OFF; default ALL"
    )
    log_data: bool = Field(
        False, description="true or false; true logs inputs and outputs, too, with what is in the events; default false"
    )
    log_retention_days: int = Field(30, ge=1, le=3653, description="days, as in handler.log_retention_days; default 30")
    tracing: bool = Field(True, description="true or false; X-Ray, billed per trace; default true")


class WorkflowSettings(PatternSettings):
    """Events of the stack's bus that match a pattern start an execution of steps, one after the other."""

    endpoint_services: ClassVar[tuple[str, ...]] = ("states",)

    pattern: Literal["workflow"] = Field(..., description="workflow")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    events: EventPattern = events_field()
    steps: Annotated[tuple[StepSettings, ...], Field(min_length=1, max_length=MAX_STEPS)] = Field(
        ..., description="a list of 1 to 20 steps, in their order"
    )
    timeout_seconds: int = Field(
        86400,
        ge=1,
        le=31536000,
        description="a whole number from 1 to 31,536,000 seconds for a whole execution, waits included; default 86,400",
    )
    executions: ExecutionSettings = Field(
        default_factory=ExecutionSettings, description="logs and traces; default all of them for 30 days, without data"
    )
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings, description="EventBridge's retries; default 24 hours"
    )
    idempotency: IdempotencySettings = Field(
        default_factory=IdempotencySettings,
        description="how a step of the same event is recognised when it comes again; default for 24 hours",
    )

    @field_validator("steps")
    @classmethod
    def _different_names(cls, value: tuple[StepSettings, ...]) -> tuple[StepSettings, ...]:
        names = [step.name for step in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: the name of more than one step; rename one")
        return value
