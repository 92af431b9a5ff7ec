"""What the settings of scalings share; what waits has another name in each of those that follow a backlog."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from components.config.base import Settings
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, DEFAULT_HEADROOM, MAX_HEADROOM

__all__ = ["BacklogSettings", "TaskRangeSettings", "headroom_field", "latency_field", "processing_field"]


def latency_field(thing: str) -> Any:
    """The field ``acceptable_latency_seconds``; `thing` is what waits, e.g. ``message``."""
    return Field(
        DEFAULT_ACCEPTABLE_LATENCY_SECONDS,
        gt=0,
        le=86400,
        description=f"seconds a {thing} may wait, over 0 to 86,400; less than 300 cannot be kept with min 0, and the "
        f"program warns of it; default 900, which is kept for 95 % of the {thing}s of steady, unpredictable and burst "
        "traffic (docs/scaling.md)",
    )


def processing_field(thing: str) -> Any:
    """The field ``processing_seconds``."""
    return Field(
        1,
        gt=0,
        le=7200,
        description=f"seconds that one task spends on one {thing}, over 0 to 7,200, not above "
        f"acceptable_latency_seconds (with handler.concurrency, a {thing}'s own time divided by it); default 1",
    )


def headroom_field(thing: str) -> Any:
    """The field ``headroom``."""
    return Field(
        DEFAULT_HEADROOM,
        ge=0,
        le=MAX_HEADROOM,
        description="share of acceptable_latency_seconds, 0 to 0.9, that the target leaves to AWS for noticing a rise "
        "and starting tasks; the target is floor(acceptable_latency_seconds × (1 - headroom) / processing_seconds) "
        f"{thing}s for each running task; default 0, and 0.25 is advised for more than 1 s of processing",
    )


class TaskRangeSettings(Settings):
    """The rule of the fields ``min`` and ``max``, which each kind has with bounds of its own."""

    @field_validator("max", check_fields=False)
    @classmethod
    def _not_below_min(cls, value: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("min")
        if value is not None and least is not None and value < least:
            raise ValueError(f"is {value}, less than min ({least}); lower min or raise max")
        return value


class BacklogSettings(TaskRangeSettings):
    """The rule of the fields ``acceptable_latency_seconds`` and ``processing_seconds``, too."""

    @field_validator("processing_seconds", check_fields=False)
    @classmethod
    def _fast_enough(cls, value: float, info: ValidationInfo) -> float:
        latency = info.data.get("acceptable_latency_seconds")
        if latency is not None and value > latency:
            raise ValueError(
                f"is {value:g}, more than acceptable_latency_seconds ({latency:g}): no number of tasks can be that "
                "fast; raise the latency"
            )
        return value
