from __future__ import annotations

import subprocess
import sys
import threading

from ops.interrupts import stop_on_signals
from tests.emulator import ROOT


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import os, signal\nfrom ops.interrupts import stop_on_signals\n" + script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_signal_on_the_way_into_the_wait_is_heard():
    done = run("""
with stop_on_signals() as stop:
    with stop._cond:  # which a thread holds while it begins to wait
        os.kill(os.getpid(), signal.SIGINT)
    print(stop.wait(20))
""")
    assert (done.stdout, done.returncode) == ("True\n", 0)


def test_a_second_signal_ends_the_process():
    done = run("""
with stop_on_signals() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    print(stop.wait(20), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    stop.clear()
    stop.wait(20)
""")
    assert (done.stdout, done.returncode) == ("True\n", -15)


def listeners() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "signals"]


def test_nothing_is_left_behind():
    with stop_on_signals() as stop:
        (listener,) = listeners()
    listener.join(20)
    assert not listeners()
    assert not stop.is_set()
