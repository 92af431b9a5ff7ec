"""The base of all settings models, and the texts that errors and the reference share.

A field's `description` says what it is and its range, unit, default, cost and consequence: it is the reference in
docs/settings.md and the "allowed" part of an error, so it is written once.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["PatternSettings", "Settings"]


class Settings(BaseModel):
    """Unknown keys are refused, values are never converted from text, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=True)


class PatternSettings(Settings):
    """Base of the settings of one pattern; each subclass pins its own ``pattern:``."""

    endpoint_services: ClassVar[tuple[str, ...]] = ()
    """Interface endpoints that the pattern needs beside `components.network.DEFAULT_ENDPOINT_SERVICES`, where there is
    no way to the internet."""

    pattern: str

    def problems_in(self, stack: Any) -> list[str]:
        """What is wrong about this pattern in its stack (a `StackSettings`), as ``path: sentence``."""
        return []
