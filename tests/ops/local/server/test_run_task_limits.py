"""RunTask with the limits of an account."""

from __future__ import annotations

from collections import Counter

from ops.local.server.run_task_limits import Limits


def test_a_burst_of_one_second_then_the_rate():
    now = [0.0]
    limits = Limits(per_second=10, failure_share=0, clock=lambda: now[0])
    assert Counter(limits.admit() for _ in range(25)) == {True: 10, None: 15}
    now[0] = 0.5
    assert Counter(limits.admit() for _ in range(25)) == {True: 5, None: 20}
    now[0] = 100
    assert Counter(limits.admit() for _ in range(25)) == {True: 10, None: 15}
    assert (limits.admitted, limits.throttled, limits.failed) == (25, 50, 0)


def test_the_share_of_failures_is_exact():
    limits = Limits(per_second=1e6, failure_share=0.05)
    assert Counter(limits.admit() for _ in range(200)) == {True: 190, False: 10}
