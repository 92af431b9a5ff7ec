"""Handlers of a workflow's steps: what they do, the order says; effects go to ``EFFECTS``."""

from __future__ import annotations

import time
from typing import Any

from contracts.workflows import RESULTS
from tests.local.handlers import bake, bake_once
from worker import Event, NonRetryableError

__all__ = ["bake_slowly", "step"]


def step(event: Event) -> dict[str, Any]:
    """Fail when the order's name says so: ``fail-<step>`` and ``refuse-<step>``; else do it, and tell what came before."""
    name, wanted = str(event.data["name"]), event.metadata["step"]
    if name == f"fail-{wanted}":
        raise RuntimeError(f"no {wanted} today")
    if name == f"refuse-{wanted}":
        raise NonRetryableError(f"never a {wanted}")
    return {**bake(event), "before": sorted(event.metadata[RESULTS])}


def bake_slowly(event: Event) -> dict[str, Any]:
    """Eight seconds of work, whose effect happens once also when its worker is killed."""
    time.sleep(0 if event.data["name"] == "quick" else 8)
    return bake_once(event)
