"""Laws of every decision of ours, whatever the traffic was and whatever the settings are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.scaling import ScalingPolicy
from ops.scaling_model.autoscaling import Autoscaling
from ops.scaling_model.decisions import Bounds, Cooldown, LastActivity, allowed_capacity, tracked_capacity
from ops.scaling_model.plans import OwnSettings, Sample, own_plan

MOST = 60
COOLDOWN = Cooldown(120, 300)

minutes = st.builds(
    Sample,
    visible=st.integers(0, 3) | st.integers(0, 5_000),
    in_flight=st.integers(0, 3) | st.integers(0, MOST),
    running=st.integers(0, MOST),
    reported=st.sampled_from([True, True, True, False]),
)
# Long enough, and often calm enough, for the 15 minutes of target tracking and the 5 of the idle alarm.
histories = st.builds(
    lambda first, calm, last: [*first, *calm, *last],
    st.lists(minutes, max_size=5),
    st.builds(lambda sample, length: [sample] * length, minutes, st.integers(0, 20)),
    st.lists(minutes, min_size=1, max_size=5),
)
# Nothing waits, but tasks work: what a signal of visible messages alone takes for idle.
working = st.builds(
    lambda first, in_flight, running, length: [*first, *[Sample(0, in_flight, running)] * length],
    st.lists(minutes, max_size=5),
    st.integers(1, MOST),
    st.integers(0, MOST),
    st.integers(1, 20),
)
settings = st.builds(
    lambda policy, bounds, processing, messages, headroom: OwnSettings(
        policy, min(bounds), max(bounds), processing * messages, processing, headroom
    ),
    st.sampled_from(ScalingPolicy),
    st.tuples(st.integers(0, MOST), st.integers(1, MOST)),
    st.sampled_from([0.1, 0.5, 2.0, 30.0]),
    st.integers(1, 1_000),
    st.sampled_from([0, 0.25, 0.5, 0.9]),
)


def _within(count: int, own: OwnSettings) -> int:
    return max(own.min, min(own.max, count))


def _decision(own: OwnSettings, history: list[Sample], desired: int) -> int:
    return Autoscaling(own_plan(own)).decide(history, _within(desired, own), len(history) * 60)


@given(settings, histories, st.integers(0, MOST))
def test_the_count_stays_within_the_bounds_at_every_minute(
    own: OwnSettings, history: list[Sample], desired: int
) -> None:
    autoscaling, desired = Autoscaling(own_plan(own)), _within(desired, own)
    for minute in range(1, len(history) + 1):
        desired = autoscaling.decide(history[:minute], desired, minute * 60)
        assert own.min <= desired <= own.max


@given(settings, histories, st.integers(0, MOST), st.integers(1, 5_000))
def test_more_messages_never_make_fewer_tasks(own: OwnSettings, history: list[Sample], desired: int, more: int) -> None:
    fuller = [replace(sample, visible=sample.visible + more) for sample in history]
    assert _decision(own, fuller, desired) >= _decision(own, history, desired)


@given(settings, histories, st.integers(0, MOST), st.integers(2, 10))
def test_a_shorter_latency_or_more_headroom_never_makes_fewer_tasks(
    own: OwnSettings, history: list[Sample], desired: int, times: int
) -> None:
    latency, processing = own.acceptable_latency_seconds, own.processing_seconds
    assert latency is not None
    assert processing is not None
    decided = _decision(own, history, desired)
    shorter = replace(own, acceptable_latency_seconds=max(processing, latency / times))
    assert _decision(shorter, history, desired) >= decided
    assert _decision(replace(own, headroom=0.9), history, desired) >= decided


@given(settings, histories | working, st.integers(1, MOST))
def test_nothing_goes_to_zero_while_a_message_waits_or_is_in_flight(
    own: OwnSettings, history: list[Sample], desired: int
) -> None:
    latest = history[-1]
    assume(latest.reported and latest.visible + latest.in_flight > 0)
    assert _decision(own, history, desired) >= 1
    if own.policy is ScalingPolicy.QUEUE_DEPTH:
        assert _decision(own, history, desired) >= _within(desired, own), "steps on depth only go in when all is done"


tracking_settings = settings.filter(lambda own: own.policy is ScalingPolicy.BACKLOG_PER_TASK and own.min < own.max)


@given(tracking_settings, histories, st.integers(1, MOST))
def test_a_scale_in_leaves_no_task_more_than_the_target(own: OwnSettings, history: list[Sample], desired: int) -> None:
    before = _within(desired, own)
    # What runs is what was asked for: else a scale-in answers to a count that is no longer true.
    history = [replace(sample, running=before) for sample in history]
    latest = history[-1]
    assume(latest.reported)
    after = _decision(own, history, desired)
    (tracking,) = own_plan(own).tracking
    if after < before and latest.visible + latest.in_flight > 0:
        assert after * tracking.target >= latest.visible + latest.in_flight


@given(st.integers(0, 1_000), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_tracking_asks_for_more_with_a_higher_metric_and_for_less_with_a_higher_target(
    current: int, metric: float, more: float, target: float, higher: float
) -> None:
    wanted = tracked_capacity(current, metric, target)
    assert tracked_capacity(current, metric + more, target) >= wanted
    assert tracked_capacity(current, metric, target + higher) <= wanted
    assert tracked_capacity(current + 1, metric, target) >= wanted


@given(
    st.integers(0, 100),
    st.integers(0, 100),
    st.builds(LastActivity, st.integers(0, 100), st.integers(0, 100), st.just(0.0)),
    st.floats(0, 600),
)
def test_in_a_cooldown_a_count_can_only_grow(current: int, wanted: int, last: LastActivity, now: float) -> None:
    allowed = allowed_capacity(wanted, current, Bounds(0, 100), last, COOLDOWN, now)
    cooling = now < (COOLDOWN.out_seconds if last.was_out else COOLDOWN.in_seconds)
    if allowed is None:
        assert cooling
        assert wanted <= max(current, last.after)
    else:
        assert allowed == wanted
        assert not cooling or wanted >= min(current, last.after)
