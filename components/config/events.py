"""What patterns that take events of the bus say of them: which ones, and who checks it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from contracts import event_pattern

__all__ = ["EventPattern", "events_field"]


def _valid(value: dict[str, Any]) -> dict[str, Any]:
    if problems := event_pattern.problems(value):
        raise PydanticCustomError("event_pattern", "not an event pattern", {"problems": problems})
    return value


EventPattern = Annotated[dict[str, Any], AfterValidator(_valid)]
"""An EventBridge event pattern; each of its problems is a line of its own."""


def events_field() -> Any:
    """The setting `events` of a pattern that cannot be without."""
    return Field(
        ..., description="an EventBridge event pattern, e.g. {source: [pizza.service.com], detail-type: [OrderCreated]}"
    )
