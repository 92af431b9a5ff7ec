"""From a trace to delays and task-hours."""

from __future__ import annotations

import math

import pytest

from contracts.scaling import RECOMMENDED_HEADROOM, WAKE_SECONDS, ScalingPolicy, latency_from_zero_problem
from ops.scaling_model.decisions import Bounds
from ops.scaling_model.optimum import clairvoyant, work_hours
from ops.scaling_model.plans import OwnSettings, copilot_plan, own_plan
from ops.scaling_model.simulation import Outcome, Timing, run_schedule, simulate
from ops.scaling_model.traffic import Shape, Trace, shaped

BURST = Trace("burst", (*[0] * 10, 600, *[0] * 49))


def _own(minimum: int, maximum: int, latency: float = 60, processing: float = 2) -> Outcome:
    plan = own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, minimum, maximum, latency, processing))
    return simulate(BURST, plan, processing)


def test_a_fixed_number_that_suffices_delays_nothing_and_costs_its_hours() -> None:
    steady = Trace("steady", (60,) * 60)
    outcome = simulate(steady, own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 3, 3, 60, 2)), 2)
    assert outcome.delay_seconds(1.0) == 0
    assert outcome.attainment(0) == 1
    # Three tasks for an hour, and for the second or two after it until the last message is done.
    assert outcome.task_hours == pytest.approx(3, abs=3 * 60 / 3600)


def test_the_first_message_after_idle_time_waits_for_three_to_five_minutes() -> None:
    # docs/adr/0004: two metric periods, an alarm evaluation and a Fargate start.
    quiet = Trace("one message", (*[0] * 30, 1, *[0] * 20))
    outcome = simulate(quiet, own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 0, 10, 60, 2)), 2)
    assert 180 <= outcome.delay_seconds(1.0) <= WAKE_SECONDS
    assert outcome.started == 1
    assert outcome.tasks_per_minute[-1] == 0


def test_what_the_warning_from_zero_says_is_what_happens() -> None:
    # contracts.scaling.latency_from_zero_problem: with a task the first messages are in time, from zero within 300 s.
    quiet = Trace("one message", (*[0] * 30, 1, *[0] * 20))

    def first(minimum: int, latency: float) -> float:
        settings = OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, minimum, 10, latency, 2, RECOMMENDED_HEADROOM)
        return simulate(quiet, own_plan(settings), 2).delay_seconds(1.0)

    assert latency_from_zero_problem(0, 60)
    assert first(0, 60) > 60
    assert latency_from_zero_problem(1, 60) is None
    assert first(1, 60) == 0
    assert latency_from_zero_problem(0, WAKE_SECONDS) is None
    assert first(0, WAKE_SECONDS) <= WAKE_SECONDS
    # It promises no more than the first: one task is not enough for steady traffic in 60 s.
    one_task = own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 1, 60, 60, 2, RECOMMENDED_HEADROOM))
    assert simulate(shaped(Shape.STEADY), one_task, 2).delay_seconds(0.95) > 60


def test_a_sleeping_queue_reports_up_to_fifteen_minutes_late() -> None:
    # SQS developer guide, "Monitoring Amazon SQS queues using CloudWatch".
    long_quiet = Trace("after seven hours", (1, *[0] * 420, 1, *[0] * 30))
    plan = own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 0, 10, 60, 2))
    late, awake = (
        simulate(long_quiet, plan, 2, Timing(waking_minutes=minutes)).delay_seconds(1.0) for minutes in (15, 0)
    )
    assert late - awake == 15 * 60
    with_a_task = own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 1, 10, 60, 2))
    assert simulate(long_quiet, with_a_task, 2).delay_seconds(1.0) == 0, "a task that polls keeps the queue awake"


def test_a_lower_target_is_faster_and_dearer() -> None:
    slow, fast = _own(1, 50, latency=120), _own(1, 50, latency=20)
    assert fast.delay_seconds(0.95) < slow.delay_seconds(0.95)
    assert fast.task_hours > slow.task_hours


def test_a_run_that_is_cut_off_says_never() -> None:
    endless = Trace("too much", (6000,) * 30)
    outcome = simulate(endless, own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 1, 1, 60, 2)), 2)
    assert outcome.unserved > 0
    assert math.isinf(outcome.delay_seconds(0.95))
    assert outcome.delays.total() + outcome.unserved == endless.messages
    assert outcome.attainment(60) < 0.05


def test_the_same_input_gives_the_same_output() -> None:
    assert _own(0, 20) == _own(0, 20)


def test_a_late_metric_and_a_slow_start_cost_their_time() -> None:
    plan = own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 0, 10, 60, 2))
    one = Trace("one", (*[0] * 30, 1, *[0] * 20))
    base = simulate(one, plan, 2).delay_seconds(1.0)
    assert simulate(one, plan, 2, Timing(task_start_seconds=80)).delay_seconds(1.0) == base + 30
    assert simulate(one, plan, 2, Timing(metric_delay_minutes=3)).delay_seconds(1.0) == base + 120


@pytest.mark.parametrize("shape", [Shape.STEADY, Shape.BURST])
@pytest.mark.parametrize("latency", [60, 600])
def test_the_optimum_is_in_time_and_nobody_in_time_is_cheaper(shape: Shape, latency: int) -> None:
    trace, bounds = shaped(shape), Bounds(0, 80)
    best = clairvoyant(trace, latency, 2, bounds)

    assert best.attainment(latency + 1) == 1
    assert best.task_hours > work_hours(trace, 2)
    rivals = [
        simulate(trace, own_plan(OwnSettings(ScalingPolicy.BACKLOG_PER_TASK, 0, 80, latency * share, 2)), 2)
        for share in (1, 0.5)
    ]
    rivals.append(simulate(trace, copilot_plan(latency, 2, bounds), 2))
    assert all(one.task_hours > best.task_hours for one in rivals if one.attainment(latency) > 0.999)


def test_a_maximum_makes_the_optimum_work_ahead_of_no_one_but_never_exceed_it() -> None:
    # 600 messages of 2 s in one minute: with a maximum of 10 tasks they take two minutes, so 60 s cannot be kept.
    limited = clairvoyant(BURST, 60, 2, Bounds(0, 10))
    free = clairvoyant(BURST, 60, 2, Bounds(0, 100))
    assert max(limited.tasks_per_minute) == 10
    assert free.attainment(60) == 1
    assert limited.attainment(60) == pytest.approx(1, abs=0.05)


def test_a_schedule_is_followed_and_each_start_is_paid() -> None:
    outcome = run_schedule("by hand", Trace("t", (10, 0, 10)), [1, 0, 1], 2, Timing(task_start_seconds=50))
    assert outcome.delay_seconds(1.0) <= 2
    assert outcome.started == 2
    assert outcome.task_hours * 3600 == pytest.approx(2 * 50 + 2 * 60, abs=4)
