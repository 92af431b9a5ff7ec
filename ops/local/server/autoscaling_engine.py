"""Gap: scaling policies act.

Target tracking is evaluated at the end of each emulated minute, step scaling when an alarm calls its policy. What they
decide is in `ops.scaling_model.decisions`; here are the metrics they read, the cooldowns they remember and the services
they set.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from ops.local.server import autoscaling_state as state
from ops.local.server import metric_store
from ops.local.server.alarms import AlarmCall, on_policy_call
from ops.local.server.autoscaling_checks import PREDEFINED_METRICS
from ops.local.server.autoscaling_state import ScalableResource
from ops.local.server.background import log_once
from ops.local.server.event_loop import run_on_loop
from ops.local.server.metric_math import Series
from ops.local.server.metric_queries import as_series, evaluate_queries, returned_query
from ops.local.server.metric_store import MetricName, Window, dimensions_of, read
from ops.local.server.minute import MINUTE_SECONDS, each_minute, start
from ops.local.server.scopes import Scope, current_scope, in_scope, records
from ops.local.server.settings import ServerSettings
from ops.scaling_model.decisions import (
    DEFAULT_COOLDOWN_SECONDS,
    SCALE_IN_DATAPOINTS,
    AdjustmentType,
    Bounds,
    Cooldown,
    LastActivity,
    adjusted_capacity,
    allowed_capacity,
    base_capacity,
    combine,
    next_activity,
    step_for,
    tracked_capacity,
    tracking_breach,
)

__all__ = ["SEAMS", "install"]

SEAMS = (*metric_store.SEAMS, "services.ecs._services", "services.ecs._update_service")

Document = dict[str, Any]


class _Proposal(NamedTuple):
    policy: Document
    wanted: int | None
    cause: str
    scales_in: bool = True


class _Engine:
    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._last: dict[tuple[Scope, str], LastActivity] = {}
        self._lock = threading.RLock()

    def _now(self) -> float:
        """The emulated time, for cooldowns."""
        return time.monotonic() * self._settings.speedup

    def track(self, boundary: float) -> None:
        """Evaluate the target tracking policies of every scalable target."""
        by_target: dict[tuple[Scope, ScalableResource], list[Document]] = defaultdict(list)
        for scope, _key, policy in records(state.policies):
            if policy["PolicyType"] == "TargetTrackingScaling":
                by_target[scope, ScalableResource.of(policy)].append(policy)
        for (scope, resource), tracking in by_target.items():
            with in_scope(scope), log_once(f"target tracking of {resource.resource_id} in account {scope.account_id}"):
                proposals = [self._tracking_proposal(resource, policy, boundary) for policy in tracking]
                # A policy that never scales in has no say in scaling in.
                voting = [proposal for proposal in proposals if proposal.wanted is not None or proposal.scales_in]
                self._apply(resource, voting)

    def step(self, call: AlarmCall) -> None:
        """An alarm calls a step scaling policy."""
        found = [policy for policy in state.policies.values() if policy["PolicyARN"] == call.policy_arn]
        for policy in found:
            if policy["PolicyType"] != "StepScaling":
                continue
            configuration = policy["StepScalingPolicyConfiguration"]
            breach = 0.0 if call.value is None else call.value - call.threshold
            adjustment = step_for(configuration["StepAdjustments"], breach)
            if adjustment is None:
                continue
            resource = ScalableResource.of(policy)
            wanted = adjusted_capacity(
                self._base(resource, policy, self._cooldown(policy)),
                adjustment,
                AdjustmentType(configuration["AdjustmentType"]),
                configuration.get("MinAdjustmentMagnitude"),
            )
            cause = f"monitor alarm {call.alarm_name} in state {call.state} triggered policy {policy['PolicyName']}"
            self._apply(resource, [_Proposal(policy, wanted, cause)])

    def _tracking_proposal(self, resource: ScalableResource, policy: Document, boundary: float) -> _Proposal:
        configuration = policy["TargetTrackingScalingPolicyConfiguration"]
        target = float(configuration["TargetValue"])
        points = run_on_loop(lambda: self._tracked_metric(resource, configuration, boundary))
        breach = tracking_breach(points, target)
        metric = points[-1]
        if breach == 0 or metric is None or (breach < 0 and configuration.get("DisableScaleIn")):
            return _Proposal(policy, None, "", scales_in=not configuration.get("DisableScaleIn"))
        base = self._base(resource, policy, self._cooldown(policy)) if breach > 0 else self._current(resource)
        wanted = tracked_capacity(base, metric, target)
        side = "AlarmHigh" if breach > 0 else "AlarmLow"
        cause = (
            f"monitor alarm TargetTracking-{resource.resource_id}-{side} in state ALARM triggered policy "
            f"{policy['PolicyName']} (metric {metric:g}, target {target:g})"
        )
        return _Proposal(policy, wanted, cause)

    def _apply(self, resource: ScalableResource, proposals: list[_Proposal]) -> None:
        with self._lock:
            target = state.targets.get(resource)
            service = state.service_of(resource.resource_id)
            if target is None or service is None:
                return
            current = int(service["desiredCount"])
            bounds = Bounds(target["MinCapacity"], target["MaxCapacity"])
            allowed = [self._allowed(proposal, current, bounds) for proposal in proposals]
            desired = combine(current, allowed, bounds)
            suspended = target["SuspendedState"]
            direction = "DynamicScalingOutSuspended" if desired > current else "DynamicScalingInSuspended"
            if desired == current or suspended.get(direction):
                return
            deciding = max(
                (proposal for proposal, wanted in zip(proposals, allowed, strict=True) if wanted is not None),
                key=lambda proposal: proposal.wanted or 0,
                default=None,
            )
            if deciding and state.set_desired_count(resource, desired, deciding.cause):
                key = (current_scope(), deciding.policy["PolicyARN"])
                cooldown = self._cooldown(deciding.policy)
                self._last[key] = next_activity(self._last.get(key), current, desired, cooldown, self._now())

    def _allowed(self, proposal: _Proposal, current: int, bounds: Bounds) -> int | None:
        """The capacity a policy may ask for now; None when it wants to stay or its cooldown says so."""
        last = self._last.get((current_scope(), proposal.policy["PolicyARN"]))
        return allowed_capacity(proposal.wanted, current, bounds, last, self._cooldown(proposal.policy), self._now())

    def _base(self, resource: ScalableResource, policy: Document, cooldown: Cooldown) -> int:
        """The capacity to compute from: during the cooldown of a scale-out, the one before it."""
        last = self._last.get((current_scope(), policy["PolicyARN"]))
        return base_capacity(self._current(resource), last, cooldown, self._now())

    @staticmethod
    def _current(resource: ScalableResource) -> int:
        service = state.service_of(resource.resource_id)
        return int(service["desiredCount"]) if service else 0

    @staticmethod
    def _cooldown(policy: Document) -> Cooldown:
        step_scaling = policy.get("StepScalingPolicyConfiguration")
        if step_scaling:
            seconds = float(step_scaling.get("Cooldown", DEFAULT_COOLDOWN_SECONDS))
            return Cooldown(seconds, seconds)
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        return Cooldown(
            float(tracking.get("ScaleOutCooldown", DEFAULT_COOLDOWN_SECONDS)),
            float(tracking.get("ScaleInCooldown", DEFAULT_COOLDOWN_SECONDS)),
        )

    def _tracked_metric(
        self, resource: ScalableResource, configuration: Document, boundary: float
    ) -> list[float | None]:
        """The metric of a target tracking policy, per minute, oldest first."""
        window = Window(boundary, self._settings.real_seconds(MINUTE_SECONDS), SCALE_IN_DATAPOINTS)

        def read_metric(metric_stat: Mapping[str, Any]) -> Series:
            metric = metric_stat["Metric"]
            name = MetricName(metric["Namespace"], metric["MetricName"], dimensions_of(metric.get("Dimensions")))
            return read(name, metric_stat.get("Stat", "Average"), window)

        timestamps = window.timestamps
        predefined = configuration.get("PredefinedMetricSpecification")
        custom = configuration.get("CustomizedMetricSpecification") or {}
        if predefined:
            _, cluster_name, service_name = resource.resource_id.split("/")
            dimensions = (("ClusterName", cluster_name), ("ServiceName", service_name))
            name = MetricName("AWS/ECS", PREDEFINED_METRICS[predefined["PredefinedMetricType"]], dimensions)
            series = read(name, "Average", window)
        elif custom.get("Metrics"):
            values = evaluate_queries(custom["Metrics"], read_metric, timestamps)
            series = as_series(values[returned_query(custom["Metrics"])["Id"]], timestamps)
        else:
            metric = MetricName(custom["Namespace"], custom["MetricName"], dimensions_of(custom.get("Dimensions")))
            series = read(metric, custom.get("Statistic", "Average"), window)
        return [series.get(at) for at in timestamps]


def install(settings: ServerSettings) -> None:
    """Let policies act, and start the emulated minute: this is the last of its steps."""
    engine = _Engine(settings)
    on_policy_call(engine.step)
    each_minute("target tracking", engine.track)
    start(settings)
