"""A handler that does what the event tells it to, and leaves a trace that outlives a SIGKILL.

Data of the event: ``seconds`` to work; from attempt ``gate`` on, until the test has made the file `GATE`; ``fail``
is how many calls raise a RuntimeError first; ``poison`` raises NonRetryableError; ``returns`` is the result (``unkeepable`` is one
that JSON cannot express); ``exits`` calls sys.exit; ``kills`` kills the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from worker import Event, NonRetryableError

__all__ = ["GATE", "handle"]

GATE = "gate"


def _trace(**line: object) -> None:
    """Append one line; a single write to a file opened for appending is atomic between processes."""
    handle = os.open(Path(os.environ["TRACE"]) / "calls.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, (json.dumps({**line, "pid": os.getpid(), "at": time.time()}) + "\n").encode())
    finally:
        os.close(handle)


def handle(event: Event) -> Any:
    """Do as told; the effect is a file named by the key, made by whoever comes first."""
    key, data = event.idempotency_key, event.data
    _trace(key=key, what="begin", group=data.get("group"), number=data.get("number"))
    time.sleep(data.get("seconds", 0))
    if data.get("kills"):
        os.kill(os.getpid(), signal.SIGKILL)
    if data.get("exits"):
        sys.exit("bye")
    if data.get("poison"):
        raise NonRetryableError(f"poison in {key}: \ufffe no \x01 pineapple")
    counter = Path(os.environ["TRACE"]) / f"{key}.failures"
    failures = len(counter.read_text()) if counter.exists() else 0
    while 0 < data.get("gate", 0) <= failures + 1 and not (Path(os.environ["TRACE"]) / GATE).exists():
        time.sleep(0.02)
    if failures < data.get("fail", 0):
        counter.write_text("x" * (failures + 1))
        _trace(key=key, what="fail", group=data.get("group"), number=data.get("number"))
        raise RuntimeError(f"failure {failures + 1} of {key}")
    with contextlib.suppress(FileExistsError):
        (Path(os.environ["TRACE"]) / f"{key}.effect").touch(exist_ok=False)
    _trace(key=key, what="end", group=data.get("group"), number=data.get("number"))
    if data.get("returns") == "unkeepable":
        return {"file": object()}
    return data.get("returns")
