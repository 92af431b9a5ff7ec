from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.errors import ContractError, ScalingError
from contracts.scaling import MAX_HEADROOM, WAKE_SECONDS, backlog_per_task_target, latency_from_zero_problem


@pytest.mark.parametrize(
    ("latency", "processing", "target"),
    [(60, 2, 30), (600, 0.25, 2_400), (60, 60, 1), (60, 7, 8), (0.3, 0.1, 3), (1, 0.6, 1)],
)
def test_the_target_is_latency_over_processing_time_rounded_down(latency: float, processing: float, target: int):
    assert backlog_per_task_target(latency, processing) == target


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_one_message_more_than_the_target_would_be_late(latency: int, processing: int):
    if processing > latency:
        with pytest.raises(ScalingError):
            backlog_per_task_target(latency, processing)
        return
    target = backlog_per_task_target(latency, processing)
    assert target >= 1
    assert target * processing <= latency < (target + 1) * processing


latencies = st.integers(1, 10**6)
headrooms = st.integers(0, 90).map(lambda percent: percent / 100)


@given(latencies, latencies, headrooms)
def test_a_headroom_leaves_that_share_of_the_latency_free(latency: int, processing: int, headroom: float):
    assume(processing <= latency)
    target = backlog_per_task_target(latency, processing, headroom)
    aimed_at = Fraction(latency) * (1 - Fraction(round(headroom * 100), 100))
    assert target == max(1, aimed_at // processing)
    assert target <= backlog_per_task_target(latency, processing)


@given(latencies, latencies, st.lists(headrooms, min_size=2, max_size=2).map(sorted), st.integers(1, 1_000))
def test_a_task_may_have_more_waiting_with_more_time_and_less_with_longer_messages_or_more_headroom(
    latency: int, processing: int, shares: list[float], more: int
):
    assume(processing <= latency)
    less, rest = shares
    target = backlog_per_task_target(latency, processing, less)
    assert backlog_per_task_target(latency + more, processing, less) >= target
    assert backlog_per_task_target(latency, processing, rest) <= target
    if processing + more <= latency:
        assert backlog_per_task_target(latency, processing + more, less) <= target


@pytest.mark.parametrize("headroom", [-0.01, MAX_HEADROOM + 0.01, 1, math.nan])
def test_a_headroom_is_a_share_that_leaves_something(headroom: float):
    with pytest.raises(ScalingError, match="allowed is a share of the latency from 0 to 0.9"):
        backlog_per_task_target(60, 1, headroom)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "60"])
def test_what_is_no_positive_number_is_named(value: float):
    with pytest.raises(ScalingError) as caught:
        backlog_per_task_target(value, 1)
    assert str(caught.value) == f"acceptable_latency_seconds is {value!r}; allowed is a number of seconds over 0"
    with pytest.raises(ScalingError, match="processing_seconds is"):
        backlog_per_task_target(60, value)


def test_a_latency_that_no_number_of_tasks_can_meet_is_refused():
    with pytest.raises(ContractError) as caught:
        backlog_per_task_target(5, 7.5)
    assert str(caught.value) == (
        "processing_seconds is 7.5, more than acceptable_latency_seconds (5): one message alone takes longer than "
        "that, however many tasks run; raise the latency or make the processing faster"
    )


def test_from_zero_less_than_the_time_to_wake_is_not_kept():
    assert latency_from_zero_problem(0, WAKE_SECONDS) is None
    assert latency_from_zero_problem(1, 1) is None
    assert latency_from_zero_problem(0, 299.5) == (
        "acceptable_latency_seconds is 299.5 with min 0; from zero the first messages wait up to 300 seconds, until AWS "
        "has noticed them and a task has started. With min 1 or more a task is there for them, with a latency of 300 or "
        "more they are in time; what the messages after them need depends on your traffic, and `ops plan-scaling` shows it"
    )
