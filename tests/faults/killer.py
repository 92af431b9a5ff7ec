"""Kills a replay in a process of its own at a request that was chosen before."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time

from tests.faults.child import Job, exit_code, forked
from tests.faults.proxy import Fault, FaultsProxy, Request

__all__ = ["Killer"]


class Killer:
    """SIGKILL at the `call`-th request of `action`; other faults that are injected later do not strike that one.

    Requests that only keep what is in hand do not count: a run makes them when it is slow, and otherwise none.

    Args:
        proxy: the run's endpoint.
        action: of SQS, or `ANY`.
        call: 1 or more.
        acted: AWS has carried the request out; otherwise it never arrives.
    """

    def __init__(self, proxy: FaultsProxy, action: str, call: int, *, acted: bool) -> None:
        self._pid: int | None = None
        self._started = threading.Event()
        calls = itertools.count(1)
        fault = Fault.DROPPED_AFTER if acted else Fault.DROPPED_BEFORE
        proxy.inject(action, fault, when=lambda request: not _keeps(request) and next(calls) == call, then=self._strike)

    def run(self, job: Job, seconds: float) -> int | None:
        """Start the run; its exit code, -SIGKILL unless it ended before that request; None when it takes longer."""
        process = forked(job)
        assert process.pid is not None
        self._pid = process.pid
        self._started.set()
        code = exit_code(process, seconds)
        if code is None:
            process.kill()
        return code

    def _strike(self, request: Request) -> None:
        self._started.wait()
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        time.sleep(0.001)


def _keeps(request: Request) -> bool:
    if request.action != "ChangeMessageVisibilityBatch":
        return False
    return any(entry["VisibilityTimeout"] for entry in json.loads(request.body)["Entries"])
