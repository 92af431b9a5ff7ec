from __future__ import annotations

import pytest

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
