"""What a change is checked against, and exactly what it sends."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from ops.actions.scale.change import Change, ScaleRequest, plan
from ops.actions.scale.state import Bounds, ScaledService, ScaleState, service_of
from ops.actions.status import ServiceCounts
from ops.errors import OpsError, UsageError

_SERVICE = ScaledService("shop", "orders")
_TRACKING: dict[str, Any] = {
    "PolicyARN": "arn:aws:autoscaling:…",
    "PolicyName": "backlog",
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/orders",
    "ScalableDimension": "ecs:service:DesiredCount",
    "PolicyType": "TargetTrackingScaling",
    "CreationTime": "2026-11-20",
    "Alarms": [],
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 10.0,
        "CustomizedMetricSpecification": {"Metrics": [{"Id": "e1", "Expression": "IF(m2>0, m1/m2, m1)"}]},
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 30,
        "DisableScaleIn": True,
    },
}
_STEPS = {**_TRACKING, "PolicyName": "wake", "PolicyType": "StepScaling"}
del _STEPS["TargetTrackingScalingPolicyConfiguration"]


_BOUNDS = Bounds(1, 10)


def _state(bounds: Bounds | None = _BOUNDS, desired: int = 2, *policies: dict[str, Any]) -> ScaleState:
    return ScaleState(_SERVICE, ServiceCounts(desired, desired, 0), bounds, list(policies or (_STEPS, _TRACKING)))


def test_a_desired_count_outside_the_bounds_is_refused_with_the_bounds() -> None:
    for desired, fix in ((50, "--max 50"), (0, "--min 0")):
        with pytest.raises(UsageError, match=rf"--desired {desired} is outside the bounds 1\.\.10") as caught:
            plan(_state(), ScaleRequest(desired=desired))
        assert fix in caught.value.hint


def test_a_desired_count_is_measured_by_the_bounds_that_are_asked_for() -> None:
    result = plan(_state(), ScaleRequest(desired=50, max=60))

    assert result.desired == 50
    assert result.target == {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/shop/orders",
        "ScalableDimension": "ecs:service:DesiredCount",
        "MaxCapacity": 60,
    }
    assert result.changes == [Change("max", 10, 60), Change("desired", 2, 50)]
    assert "--pause" in result.notes[0]


def test_a_service_that_nobody_scales_takes_any_desired_count_and_has_no_bounds() -> None:
    assert plan(_state(None), ScaleRequest(desired=50)).desired == 50
    for request in (ScaleRequest(min=1), ScaleRequest(max=3), ScaleRequest(paused=True)):
        with pytest.raises(OpsError, match="no scalable target"):
            plan(_state(None), request)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ScaleRequest(min=11), "min 11 would be over max 10"),
        (ScaleRequest(max=0), "min 1 would be over max 0"),
        (ScaleRequest(min=-1), "must be 0 or more"),
        (ScaleRequest(desired=-1), "must be 0 or more"),
        (ScaleRequest(latency_seconds=60), "belong together"),
        (ScaleRequest(processing_seconds=2), "belong together"),
        (ScaleRequest(latency_seconds=0, processing_seconds=2), "over 0"),
        (ScaleRequest(latency_seconds=60, processing_seconds=-1), "over 0"),
        (ScaleRequest(latency_seconds=1, processing_seconds=2), "more than"),
        (ScaleRequest(headroom=0.5), "give --latency and --processing"),
        (ScaleRequest(latency_seconds=60, processing_seconds=2, headroom=1), "a share of the latency from 0 to 0.9"),
        (ScaleRequest(latency_seconds=60, processing_seconds=2, headroom=-0.1), "a share of the latency from 0 to 0.9"),
    ],
)
def test_wrong_requests_change_nothing(request_: ScaleRequest, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(_state(), request_)


def test_latency_and_processing_set_the_target_and_nothing_else_of_the_policy() -> None:
    before = copy.deepcopy(_TRACKING)

    result = plan(_state(), ScaleRequest(latency_seconds=61, processing_seconds=2))

    configuration = {**before["TargetTrackingScalingPolicyConfiguration"], "TargetValue": 30.0}
    assert result.policy == {
        "PolicyName": "backlog",
        "ServiceNamespace": "ecs",
        "ResourceId": "service/shop/orders",
        "ScalableDimension": "ecs:service:DesiredCount",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
    }
    assert result.changes == [Change("target", 10.0, 30)]
    assert before == _TRACKING


@pytest.mark.parametrize(("own", "asked", "target"), [(0.25, None, 22), (0.25, 0, 30), (0, None, 30), (0, 0.5, 15)])
def test_the_headroom_is_the_services_own_unless_another_is_asked_for(
    own: float, asked: float | None, target: int
) -> None:
    state = replace(_state(), service=replace(_SERVICE, headroom=own))
    result = plan(state, ScaleRequest(latency_seconds=60, processing_seconds=2, headroom=asked))
    assert result.changes == [Change("target", 10.0, target)]


def test_without_a_tracking_policy_on_the_backlog_there_is_no_target() -> None:
    predefined = copy.deepcopy(_TRACKING)
    del predefined["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]

    with pytest.raises(OpsError, match="no target-tracking policy"):
        plan(_state(Bounds(1, 10), 2, _STEPS, predefined), ScaleRequest(latency_seconds=60, processing_seconds=2))
    with pytest.raises(OpsError, match="several target-tracking policies"):
        plan(_state(Bounds(1, 10), 2, _TRACKING, _TRACKING), ScaleRequest(latency_seconds=60, processing_seconds=2))


def test_pause_and_resume_set_all_three_switches() -> None:
    paused = plan(_state(), ScaleRequest(paused=True))
    resumed = plan(_state(Bounds(1, 10, paused=True)), ScaleRequest(paused=False))
    half = plan(_state(Bounds(1, 10, partly_paused=True)), ScaleRequest(paused=False))

    names = {"DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"}
    for result, value in ((paused, True), (resumed, False), (half, False)):
        assert result.target is not None
        assert result.target["SuspendedState"] == dict.fromkeys(names, value)
        assert "MinCapacity" not in result.target


@pytest.mark.parametrize(
    "request_",
    [
        ScaleRequest(min=1, max=10, desired=2),
        ScaleRequest(latency_seconds=10, processing_seconds=1),
        ScaleRequest(paused=False),
    ],
)
def test_what_is_so_already_is_no_change(request_: ScaleRequest) -> None:
    result = plan(_state(), request_)

    assert (result.changes, result.target, result.policy, result.desired) == ([], None, None, None)


@pytest.mark.parametrize("text", ["orders", "/orders", "shop/", "a/b/c", ""])
def test_a_service_is_written_cluster_slash_service(text: str) -> None:
    with pytest.raises(UsageError, match="not a service") as caught:
        service_of(text)
    assert "CLUSTER/SERVICE" in caught.value.hint
