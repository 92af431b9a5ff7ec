"""Changes how a service scales: checked against its scalable target first, then carried out in a safe order."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contracts.errors import ScalingError
from contracts.scaling import backlog_per_task_target
from ops.actions.scale.state import DIMENSION, ScaleState
from ops.errors import OpsError, UsageError, explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["Change", "ChangePlan", "ScaleRequest", "apply", "plan"]

_KEPT_BY_PUT = ("PolicyName", "ServiceNamespace", "ResourceId", "ScalableDimension", "PolicyType")


@dataclass(frozen=True, kw_only=True)
class ScaleRequest:
    """What is asked; None leaves a setting as it is.

    Attributes:
        desired: tasks, 0 or more, inside the bounds.
        min, max: bounds of autoscaling, 0 ≤ min ≤ max.
        latency_seconds, processing_seconds: together; over 0, processing ≤ latency.
        headroom: with them, 0 to 0.9; None is the service's own.
        paused: True suspends all scaling, False resumes it.
    """

    desired: int | None = None
    min: int | None = None
    max: int | None = None
    latency_seconds: float | None = None
    processing_seconds: float | None = None
    headroom: float | None = None
    paused: bool | None = None

    @property
    def empty(self) -> bool:
        return self == ScaleRequest()


@dataclass(frozen=True)
class Change:
    """One setting, before and after."""

    setting: str
    before: float | int | bool | None
    after: float | int | bool


@dataclass
class ChangePlan:
    """What will be done.

    Attributes:
        changes: settings that differ.
        target: arguments of RegisterScalableTarget, or None.
        policy: arguments of PutScalingPolicy, or None.
        desired: for UpdateService, or None.
        notes: what the operator should know.
    """

    changes: list[Change] = field(default_factory=list)
    target: dict[str, Any] | None = None
    policy: dict[str, Any] | None = None
    desired: int | None = None
    notes: list[str] = field(default_factory=list)


def plan(state: ScaleState, request: ScaleRequest) -> ChangePlan:
    """Check a request against the service as it is.

    Raises:
        UsageError: a value is out of range, or two do not go together; the bounds are in the message.
        OpsError: the service has no scalable target or policy that could be changed.
    """
    result = ChangePlan()
    _plan_bounds(state, request, result)
    _plan_target(state, request, result)
    _plan_desired(state, request, result)
    return result


def apply(aws: Aws, state: ScaleState, changes: ChangePlan) -> None:
    """Bounds and suspension first, so that autoscaling does not undo the desired count set last.

    Raises:
        OpsError: AWS refused; says what had been changed before.
    """
    service = state.service
    steps: list[tuple[str, Any, dict[str, Any]]] = []
    if changes.target:
        steps.append(("the bounds", aws.autoscaling().register_scalable_target, changes.target))
    if changes.policy:
        steps.append(("the target", aws.autoscaling().put_scaling_policy, changes.policy))
    if changes.desired is not None:
        request = {"cluster": service.cluster, "service": service.name, "desiredCount": changes.desired}
        steps.append(("the desired count", aws.ecs().update_service, request))
    done: list[str] = []
    for what, call, arguments in steps:
        try:
            call(**arguments)
        except Exception as error:
            explained = explain(error, f"setting {what} of {service.name}")
            before = f"; {' and '.join(done)} had been set" if done else "; nothing was changed"
            raise OpsError(explained.message + before, explained.hint) from error
        done.append(what)


def _plan_bounds(state: ScaleState, request: ScaleRequest, result: ChangePlan) -> None:
    if request.min is None and request.max is None and request.paused is None:
        return
    bounds = state.bounds
    if bounds is None:
        raise OpsError(
            f"{state.service.name} has no scalable target: nothing scales it, so it has no bounds and cannot be paused",
            "give the pattern a `scaling` section and deploy; --desired works without",
        )
    low = bounds.min if request.min is None else request.min
    high = bounds.max if request.max is None else request.max
    if low < 0 or high < 0:
        raise UsageError(f"--min {low} --max {high}: must be 0 or more")
    if low > high:
        raise UsageError(f"min {low} would be over max {high}", f"now it is {bounds.min}..{bounds.max}; set both")
    arguments: dict[str, Any] = {
        "ServiceNamespace": "ecs",
        "ResourceId": state.service.resource_id,
        "ScalableDimension": DIMENSION,
    }
    changed = False
    settings = (("min", "MinCapacity", bounds.min, low), ("max", "MaxCapacity", bounds.max, high))
    for setting, key, before, after in settings:
        if before != after:
            arguments[key] = after
            result.changes.append(Change(setting, before, after))
            changed = True
    if request.paused is not None and (request.paused != bounds.paused or bounds.partly_paused):
        names = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
        arguments["SuspendedState"] = dict.fromkeys(names, request.paused)
        result.changes.append(Change("paused", bounds.paused, request.paused))
        changed = True
    if changed:
        result.target = arguments


def _plan_target(state: ScaleState, request: ScaleRequest, result: ChangePlan) -> None:
    latency, processing = request.latency_seconds, request.processing_seconds
    if latency is None and processing is None:
        if request.headroom is not None:
            raise UsageError("--headroom is a share of the latency: give --latency and --processing, too")
        return
    if latency is None or processing is None:
        raise UsageError(
            "--latency and --processing belong together: the target is latency × (1 - headroom) / processing",
            "e.g. --latency 60 --processing 2, or --latency 60 --measure",
        )
    try:
        headroom = state.service.headroom if request.headroom is None else request.headroom
        target = backlog_per_task_target(latency, processing, headroom)
    except ScalingError as error:
        raise UsageError(f"--latency {latency:g} --processing {processing:g}: {error}") from error
    policy = state.tracking_policy()
    if policy is None:
        raise OpsError(
            f"{state.service.name} has no target-tracking policy on its backlog",
            "set `policy: backlog-per-task` in the pattern's `scaling` section and deploy",
        )
    configuration = copy.deepcopy(policy["TargetTrackingScalingPolicyConfiguration"])
    before = configuration["TargetValue"]
    if before == target:
        return
    configuration["TargetValue"] = float(target)
    result.policy = {key: policy[key] for key in _KEPT_BY_PUT}
    result.policy["TargetTrackingScalingPolicyConfiguration"] = configuration
    result.changes.append(Change("target", before, target))


def _plan_desired(state: ScaleState, request: ScaleRequest, result: ChangePlan) -> None:
    desired = request.desired
    if desired is None:
        return
    if desired < 0:
        raise UsageError(f"--desired {desired}: must be 0 or more")
    if bounds := state.bounds:
        low = bounds.min if request.min is None else request.min
        high = bounds.max if request.max is None else request.max
        if not low <= desired <= high:
            option = f"--max {desired}" if desired > high else f"--min {desired}"
            raise UsageError(
                f"--desired {desired} is outside the bounds {low}..{high} of {state.service.name}: autoscaling would "
                "pull it back",
                f"stay inside, or move the bound too: {option}",
            )
        if not (bounds.paused if request.paused is None else request.paused):
            result.notes.append("autoscaling goes on from there, and may change it again (--pause keeps it)")
    if desired != state.tasks.desired:
        result.desired = desired
        result.changes.append(Change("desired", state.tasks.desired, desired))
