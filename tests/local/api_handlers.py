"""Handlers for the behaviour tests of APIs, run by real workers as local Fargate tasks."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.local.handlers import bake
from worker import Event

__all__ = ["bake_at_the_gate", "bake_moodily"]


def bake_at_the_gate(event: Event) -> dict[str, Any]:
    """Works until ``EFFECTS.gate`` exists: others find the task full."""
    while not Path(os.environ["EFFECTS"]).with_suffix(".gate").exists():
        time.sleep(0.02)
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
