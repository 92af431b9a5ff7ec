"""The handler of the job tests."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from worker import Event

__all__ = ["report"]


def report(event: Event) -> dict[str, Any]:
    """Append the job's id and its month to ``EFFECTS``; ``fail`` raises, ``sleep`` takes so many seconds."""
    with Path(os.environ["EFFECTS"]).open("a") as ledger:
        ledger.write(f"{os.environ['EDA_JOB_ID']}/{os.environ.get('MONTH', '-')}\n")
    time.sleep(float(event.data.get("sleep", 0)))
    if event.data.get("fail"):
        raise RuntimeError("as it was told")
    return {}
