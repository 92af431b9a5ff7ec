"""A setting that the scalings which follow a backlog share; what waits has another name in each."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from contracts.scaling import DEFAULT_HEADROOM, MAX_HEADROOM

__all__ = ["headroom_field"]


def headroom_field(things: str) -> Any:
    """The field ``headroom``; `things` is what one calls the backlog, e.g. ``messages``."""
    return Field(
        DEFAULT_HEADROOM,
        ge=0,
        le=MAX_HEADROOM,
        description="share of acceptable_latency_seconds, 0 to 0.9, that the target leaves to AWS for noticing a rise "
        "and starting tasks; the target is floor(acceptable_latency_seconds × (1 - headroom) / processing_seconds) "
        f"{things} for each running task; default 0, and 0.25 is advised for more than 1 s of processing",
    )
