"""Handlers for the behaviour tests of APIs, run by real workers as local Fargate tasks."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.local.handlers import bake
from worker import Event

__all__ = ["bake_moodily", "bake_slowly"]


def bake_slowly(event: Event) -> dict[str, Any]:
    """Takes half a second: long enough for others to find the task full."""
    time.sleep(0.5)
    return bake(event)


def bake_moodily(event: Event) -> dict[str, Any]:
    """A `moody` order fails twice, and a `hopeless` one always, until ``EFFECTS.fixed`` exists."""
    effects = Path(os.environ["EFFECTS"])
    with effects.with_suffix(".attempts").open("a") as attempts:
        attempts.write(f"{event.idempotency_key}\n")
    tried = effects.with_suffix(".attempts").read_text().split().count(event.idempotency_key)
    if event.data["name"] == "moody" and tried <= 2:
        raise RuntimeError("not now")
    if event.data["name"] == "hopeless" and not effects.with_suffix(".fixed").exists():
        raise RuntimeError("never")
    return bake(event)
