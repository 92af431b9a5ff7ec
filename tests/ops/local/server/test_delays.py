"""Retry and restart delays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local.server.restart_backoff import MAX_DELAY_SECONDS, RestartBackoff, counts_as_crash
from ops.local.server.retry_policy import Exhausted, RetryPolicy


def test_the_defaults_are_eventbridges() -> None:
    assert RetryPolicy.of_target({}, 1) == RetryPolicy(185, 86_400, 1)
    given_policy = {"RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}}
    assert RetryPolicy.of_target(given_policy, 2) == RetryPolicy(0, 60, 2)


def test_retries_end_by_number_or_age() -> None:
    policy = RetryPolicy(3, 60, speedup=10)
    assert policy.exhausted(2, 5.9) is None
    assert policy.exhausted(3, 0) is Exhausted.ATTEMPTS
    assert policy.exhausted(0, 6) is Exhausted.AGE


@given(retries=st.integers(0, 184), speedup=st.floats(1, 100), jitter=st.floats(0.75, 1.25))
def test_delays_grow_and_are_bounded(retries: int, speedup: float, jitter: float) -> None:
    policy = RetryPolicy(speedup=speedup)
    delay = policy.delay_seconds(retries, lambda low, high: min(high, max(low, jitter)))
    steady = policy.delay_seconds(retries, lambda _low, _high: 1.0)
    assert delay == pytest.approx(steady * jitter)
    assert policy.delay_seconds(retries + 1, lambda _low, _high: 1.0) >= steady
    assert steady <= 900 / speedup


def test_restarts_pause_longer_each_time_until_a_task_stays_up() -> None:
    backoff = RestartBackoff("d")
    assert [backoff.failed(100.0, speedup=1) for _ in range(5)] == [0, 1, 2, 4, 8]
    assert backoff.wait_seconds(101.0) == 7
    assert [backoff.failed(0, speedup=1) for _ in range(20)][-1] == MAX_DELAY_SECONDS
    assert backoff.failed(0, speedup=30) == MAX_DELAY_SECONDS / 30
    backoff.recovered()
    assert backoff.wait_seconds(0) == 0
    assert backoff.failed(0, speedup=1) == 0


@pytest.mark.parametrize(
    ("uptime", "exit_codes", "crash"),
    [(None, [None], True), (0.5, [1], True), (0.5, [0], True), (0.5, [137], False), (60.0, [1], False)],
)
def test_what_counts_as_a_crash(uptime: float | None, exit_codes: list[int | None], crash: bool) -> None:
    assert counts_as_crash(uptime, exit_codes) is crash
