from __future__ import annotations

import subprocess
import sys

import pytest

from tests.emulator import ROOT
from worker.stopping import Stop
from worker.threads import spawn


def test_a_thread_that_fails_stops_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    stop = Stop()

    def breaks() -> None:
        raise RuntimeError("a bug")

    spawn("deleter", breaks, stop).join(10)
    assert stop.requested.is_set()
    assert stop.failed
    assert "deleter failed; the worker stops" in caplog.text


def test_a_thread_that_ends_stops_nothing() -> None:
    stop = Stop()
    spawn("deleter", lambda: None, stop).join(10)
    assert not stop.requested.is_set()


def test_a_signal_on_the_way_into_the_wait_is_heard() -> None:
    script = """
import os, signal
from worker.stopping import Stop
stop = Stop()
stop.listen()
with stop.requested._cond:  # which a thread holds while it begins to wait
    os.kill(os.getpid(), signal.SIGTERM)
print(stop.requested.wait(20))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "True\n"
