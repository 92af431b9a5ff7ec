from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError, ScalingError
from contracts.scaling import WAKE_SECONDS, backlog_per_task_target, latency_from_zero_problem


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
        "has noticed them and a task has started. Set min to 1 or more, or the latency to 300 or more; `ops plan-scaling` "
        "shows what your traffic needs"
    )
