"""Settings of what runs the user's handler: container, capacity, permissions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.compute.capacity import MEMORY_MIB_BY_CPU, capacity_problem
from components.compute.task_definition import LOG_RETENTION_DAYS, Architecture
from components.config.base import Settings
from contracts import environment as env

__all__ = ["BuildSettings", "CapacitySettings", "HandlerSettings", "LogLevel", "PermissionSettings"]

# Written by the program; a user's value would be overwritten, or would break the worker.
_RESERVED = frozenset(getattr(env, name) for name in env.__all__) - {env.LOG_LEVEL}

VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class LogLevel(StrEnum):
    """What the worker logs."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class BuildSettings(Settings):
    """Build the image and push it to an ECR repository of the stack (needs a Docker engine or BuildKit)."""

    context: str = Field(".", min_length=1, description="directory, relative to Pulumi.yaml; default '.'")
    dockerfile: str = Field(
        "worker/Dockerfile", min_length=1, description="path, relative to Pulumi.yaml; default worker/Dockerfile"
    )


class PermissionSettings(Settings):
    """One grant to the handler, added to its task role."""

    actions: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+:[A-Za-z]+$")], ...] = Field(
        ..., min_length=1, description="exact IAM actions, e.g. s3:GetObject; wildcards are refused"
    )
    resources: tuple[Annotated[str, Field(pattern=r"^arn:")], ...] = Field(
        ..., min_length=1, description="ARNs that the actions apply to"
    )


class HandlerSettings(Settings):
    """The container that runs the handler."""

    function: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="module:function of `handle(event) -> dict | None`, e.g. worker.handlers.pizza:handle; default: "
        "the image sets HANDLER itself",
    )
    image: str | None = Field(None, min_length=1, description="an image reference; exactly one of image and build")
    build: BuildSettings | None = Field(None, description="how to build the image; exactly one of image and build")
    command: tuple[str, ...] | None = Field(
        None, min_length=1, description="a list of arguments to the image's entry point; default: the image's own"
    )
    cpu: int = Field(256, description="CPU units: 256, 512, 1024, 2048, 4096, 8192 or 16384; default 256")
    memory_mib: int = Field(512, description="MiB, one of those that Fargate offers for the cpu; default 512")
    architecture: Architecture = Field(
        Architecture.X86_64, description="X86_64 or ARM64 (about 20 % cheaper); default X86_64"
    )
    environment: dict[VariableName, str] = Field(
        default_factory=dict, description="a map of names to texts; names that the worker owns are refused"
    )
    secrets: dict[VariableName, Annotated[str, Field(pattern=r"^arn:")]] = Field(
        default_factory=dict,
        description="a map of names to ARNs of Secrets Manager secrets or SSM parameters; read at start",
    )
    permissions: tuple[PermissionSettings, ...] = Field((), description="what the handler may do; default nothing")
    concurrency: int = Field(
        1,
        ge=1,
        le=100,
        description="a whole number from 1 to 100: messages that one task handles at a time, in threads; default 1",
    )
    stop_timeout_seconds: int = Field(
        120,
        ge=2,
        le=120,
        description="a whole number from 2 to 120 seconds between SIGTERM and SIGKILL; default 120, Fargate's maximum",
    )
    check_schemas: bool = Field(
        True,
        description="true or false; an event that does not obey the schema of its kind (contracts/schemas) goes to the "
        "dead-letter queue; an event without a schema passes; default true",
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR; default INFO")
    log_retention_days: int = Field(
        30,
        description="days, one of those that CloudWatch Logs offers: "
        + ", ".join(map(str, LOG_RETENTION_DAYS))
        + "; default 30",
    )

    @field_validator("cpu")
    @classmethod
    def _fargate_has_the_size(cls, value: int) -> int:
        if value not in MEMORY_MIB_BY_CPU:
            raise ValueError(f"is {value}; allowed: {', '.join(map(str, MEMORY_MIB_BY_CPU))} (1,024 units are a vCPU)")
        return value

    @field_validator("memory_mib")
    @classmethod
    def _fargate_has_the_pair(cls, value: int, info: ValidationInfo) -> int:
        cpu = info.data.get("cpu")
        if cpu is not None and (problem := capacity_problem(cpu, value)):
            raise ValueError(problem)
        return value

    @field_validator("log_retention_days")
    @classmethod
    def _offered_retention(cls, value: int) -> int:
        if value not in LOG_RETENTION_DAYS:
            raise ValueError(f"is {value}; CloudWatch Logs offers {', '.join(map(str, LOG_RETENTION_DAYS))} days")
        return value

    @field_validator("environment", "secrets")
    @classmethod
    def _not_reserved(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := sorted(_RESERVED & value.keys()):
            raise ValueError(f"{', '.join(taken)} is set by the program; choose another name")
        return value

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        if (self.image is None) == (self.build is None):
            raise ValueError("set exactly one of image (a reference) and build (a Dockerfile)")
        return self


class CapacitySettings(Settings):
    """Fargate on demand, Spot, or a base of the first and the rest of the second."""

    spot: bool = Field(
        False,
        description="true or false; true runs tasks on Fargate Spot (up to 70 % cheaper, reclaimed with two minutes' "
        "notice, which the worker uses to give its messages back); default false",
    )
    on_demand_base: int = Field(
        0, ge=0, le=5000, description="a whole number from 0 to 5,000 tasks that never run on Spot; default 0"
    )
