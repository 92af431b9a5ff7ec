"""What Application Auto Scaling refuses, and how."""

from __future__ import annotations

import itertools
from typing import Any

from ops.local.server.autoscaling_state import ScalableResource

__all__ = [
    "DIMENSION",
    "PREDEFINED_METRICS",
    "ApiError",
    "check_step_scaling",
    "check_target_tracking",
    "not_found_error",
    "resource_of",
    "validation_error",
]

DIMENSION = "ecs:service:DesiredCount"
PREDEFINED_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
"""PredefinedMetricType -> the AWS/ECS metric that it tracks."""

Document = dict[str, Any]


class ApiError(Exception):
    """An error answer of the API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def validation_error(message: str) -> ApiError:
    """A ValidationException."""
    return ApiError("ValidationException", message)


def not_found_error(what: str, resource: ScalableResource) -> ApiError:
    """An ObjectNotFoundException."""
    namespace, resource_id, dimension = resource
    return ApiError(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: {namespace}, resource ID: {resource_id}, "
        f"scalable dimension: {dimension}",
    )


def resource_of(data: Document) -> ScalableResource:
    """The ECS service that a request names. Raises `ApiError` for anything else."""
    for name in ("ServiceNamespace", "ResourceId", "ScalableDimension"):
        if not data.get(name):
            raise validation_error(f"{name} is missing")
    resource = ScalableResource.of(data)
    if resource.namespace != "ecs" or resource.dimension != DIMENSION:
        raise validation_error(
            f"the embedded AWS scales ECS services only: ServiceNamespace ecs with ScalableDimension {DIMENSION}, "
            f"not {resource.namespace} with {resource.dimension}"
        )
    if resource.resource_id.count("/") != 2 or not resource.resource_id.startswith("service/"):
        raise validation_error(
            f"Unsupported service namespace, resource type or scalable dimension: {resource.resource_id}"
        )
    return resource


def check_step_scaling(configuration: Document) -> None:
    """Raise `ApiError` for a StepScalingPolicyConfiguration that AWS refuses."""
    allowed = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")
    if configuration.get("AdjustmentType") not in allowed:
        raise validation_error(
            f"AdjustmentType is {configuration.get('AdjustmentType')}; allowed: {', '.join(allowed)}"
        )
    steps = configuration.get("StepAdjustments") or []
    if not steps:
        raise validation_error("At least one StepAdjustment must be specified")
    intervals = sorted(
        (step.get("MetricIntervalLowerBound", float("-inf")), step.get("MetricIntervalUpperBound", float("inf")))
        for step in steps
    )
    for lower, upper in intervals:
        if lower >= upper:
            raise validation_error(
                f"the step from {lower} to {upper} is empty: the upper bound must be above the lower"
            )
    for (_, upper), (lower, _) in itertools.pairwise(intervals):
        if lower != upper:
            raise validation_error(
                f"StepAdjustment intervals can't overlap or have a gap: one ends at {upper}, the next begins at {lower}"
            )


def check_target_tracking(configuration: Document) -> None:
    """Raise `ApiError` for a TargetTrackingScalingPolicyConfiguration that AWS refuses, or that cannot be measured."""
    if not configuration.get("TargetValue"):
        raise validation_error("TargetValue is missing or 0")
    kinds = [
        name for name in ("PredefinedMetricSpecification", "CustomizedMetricSpecification") if configuration.get(name)
    ]
    if len(kinds) != 1:
        raise validation_error(
            "exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification is needed"
        )
    predefined = (configuration.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    if predefined and predefined not in PREDEFINED_METRICS:
        raise validation_error(f"PredefinedMetricType is {predefined}; allowed here: {', '.join(PREDEFINED_METRICS)}")
