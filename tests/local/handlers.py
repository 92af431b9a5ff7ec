"""Handlers for behaviour tests, run by real workers as local Fargate tasks."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from worker import Event, NonRetryableError

__all__ = ["bake", "bake_once"]


def bake(event: Event) -> dict[str, Any]:
    """Append the key to ``EFFECTS``: an effect that shows every repetition. `poison` fails until ``EFFECTS.fixed`` exists."""
    effects = Path(os.environ["EFFECTS"])
    _refuse_poison(event, effects)
    time.sleep(float(os.environ.get("BAKING_SECONDS", "0")))
    _append(effects, event.idempotency_key)
    return {"baked": event.data["name"]}


def bake_once(event: Event) -> dict[str, Any]:
    """As a handler does whose effect must not happen twice even when its worker is killed: the key goes with the effect.

    ``EFFECTS.attempts`` has every attempt, so that a test sees that repetitions did happen.
    """
    effects = Path(os.environ["EFFECTS"])
    _append(effects.with_suffix(".attempts"), event.idempotency_key)
    time.sleep(float(os.environ.get("BAKING_SECONDS", "0")))
    with effects.open("a+") as ledger:  # a conditional put: the key is looked up and written under one lock
        fcntl.flock(ledger, fcntl.LOCK_EX)
        ledger.seek(0)
        if event.idempotency_key in ledger.read().split():
            return {"baked": "before"}
        _append(effects, event.idempotency_key)
    return {"baked": event.data["name"]}


def _refuse_poison(event: Event, effects: Path) -> None:
    if event.data["name"] == "poison" and not effects.with_suffix(".fixed").exists():
        raise NonRetryableError("nobody bakes poison")


def _append(path: Path, key: str) -> None:
    line = f"{key}\n".encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line)  # one write of a short line with O_APPEND is atomic
    finally:
        os.close(descriptor)
