"""Handlers of activity pools for behaviour tests."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from worker import Event, NonRetryableError

__all__ = ["process"]


def process(event: Event) -> dict[str, Any]:
    """Write each object's key to ``EFFECTS`` once, whatever happens to the worker; every attempt to ``.attempts``.

    A key with ``poison`` in it cannot be processed, and none is while ``EFFECTS.hold`` exists.
    """
    effects = Path(os.environ["EFFECTS"])
    keys = [item["key"] for item in event.data["Items"]]
    for key in keys:
        if "poison" in key:
            raise NonRetryableError(f"nobody can read {key}")
    with effects.with_suffix(".attempts").open("a") as attempts:
        attempts.write("".join(f"{key}\n" for key in keys))
    time.sleep(float(os.environ.get("PROCESSING_SECONDS", "0")))
    while effects.with_suffix(".hold").exists():
        time.sleep(0.02)
    with effects.open("a+") as ledger:  # a conditional put: looked up and written under one lock
        fcntl.flock(ledger, fcntl.LOCK_EX)
        ledger.seek(0)
        known = set(ledger.read().split())
        ledger.write("".join(f"{key}\n" for key in keys if key not in known))
    return {"processed": len(keys)}
