"""The queue and its tasks, against a simulation of single messages."""

from __future__ import annotations

import heapq
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.scaling_model.fleet import Fleet


def _message_by_message(arrivals: list[int], tasks: int, processing: float) -> Counter[int]:
    """Delays in a queue with so many servers: the textbook way, one message after the other."""
    free = [0.0] * tasks
    delays: Counter[int] = Counter()
    for second, count in enumerate(arrivals):
        for _ in range(count):
            begins = max(float(second), heapq.heappop(free))
            heapq.heappush(free, begins + processing)
            delays[math.floor(begins) - second] += 1
    return delays


def _run(arrivals: list[int], tasks: int, processing: float, extra: int = 0) -> Fleet:
    fleet = Fleet(processing, 50, running=tasks)
    fleet.set_desired(tasks, 0)
    for second, count in enumerate([*arrivals, *[0] * extra]):
        fleet.second(second, count)
    return fleet


@given(
    arrivals=st.lists(st.integers(0, 6), min_size=1, max_size=60), tasks=st.integers(1, 5), processing=st.integers(1, 7)
)
def test_delays_are_those_of_single_messages(arrivals: list[int], tasks: int, processing: int) -> None:
    enough = sum(arrivals) * processing + 1
    assert _run(arrivals, tasks, processing, enough).delays == _message_by_message(arrivals, tasks, processing)


@pytest.mark.parametrize(("processing", "tasks"), [(0.1, 2), (0.3, 3), (1.5, 4), (2.7, 10)])
def test_throughput_is_exact_also_where_seconds_do_not_divide(processing: float, tasks: int) -> None:
    seconds = 3000
    fleet = _run([1000] * seconds, tasks, processing)
    assert fleet.delays.total() == pytest.approx(seconds * tasks / processing, rel=0.002)


@given(
    arrivals=st.lists(st.integers(0, 9), min_size=1, max_size=80),
    desired=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    processing=st.sampled_from([0.2, 0.7, 1.0, 2.5, 6.0]),
)
def test_no_message_is_lost_or_taken_twice_whatever_is_ordered(
    arrivals: list[int], desired: list[int], processing: float
) -> None:
    fleet = Fleet(processing, 3)
    for second, count in enumerate(arrivals):
        if second % 10 == 0:
            fleet.set_desired(desired[second // 10 % len(desired)], second)
        fleet.second(second, count)
        assert fleet.waiting + fleet.delays.total() == sum(arrivals[: second + 1])
        assert 0 <= fleet.in_flight <= fleet.running


def test_a_task_receives_after_its_start_and_is_billed_from_the_order() -> None:
    fleet = Fleet(2, start_seconds=50)
    fleet.set_desired(3, 0)
    for second in range(50):
        fleet.second(second, 0)
    assert (fleet.running, fleet.tasks, fleet.task_seconds) == (0, 3, 150)
    fleet.second(50, 0)
    assert fleet.running == 3


def test_scale_in_takes_starting_tasks_then_idle_ones_and_waits_for_the_busy() -> None:
    fleet = Fleet(10, start_seconds=5, running=3)
    fleet.set_desired(5, 0)
    fleet.second(0, 2)  # two of three tasks get a message, two more start
    assert (fleet.in_flight, fleet.tasks) == (2, 5)
    fleet.set_desired(1, 1)
    fleet.second(1, 0)
    assert (fleet.tasks, fleet.running, fleet.in_flight) == (2, 2, 2), "the busy ones stay"
    for second in range(2, 11):
        fleet.second(second, 0)
    assert (fleet.running, fleet.in_flight) == (1, 0)


def test_a_task_costs_a_minute_at_least() -> None:
    # AWS Fargate pricing: "billed per second with a one-minute minimum".
    fleet = Fleet(1, start_seconds=0)
    fleet.set_desired(1, 0)
    for second in range(20):
        fleet.second(second, 0)
    fleet.set_desired(0, 20)
    fleet.second(20, 0)
    assert fleet.task_seconds == 60
