"""How a service scales now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from contracts.manifest import PatternManifest, ServiceRef
from ops.actions.queues import QueueDirectory
from ops.actions.status import ServiceCounts, oldest_age_seconds, service_counts
from ops.errors import OpsError, UsageError, explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = [
    "DIMENSION",
    "Activity",
    "Bounds",
    "ScaleState",
    "ScaledService",
    "read_state",
    "service_of",
    "service_of_pattern",
]

DIMENSION: Final = "ecs:service:DesiredCount"
_ACTIVITIES = 5


@dataclass(frozen=True)
class ScaledService:
    """A service, and the queue it works on.

    Attributes:
        cluster, name: the service.
        queue_url: its queue; None when it is not known.
        headroom: of its scaling; 0 when it is not known.
    """

    cluster: str
    name: str
    queue_url: str | None = None
    headroom: float = 0

    @property
    def resource_id(self) -> str:
        """Application Auto Scaling's name for it."""
        return f"service/{self.cluster}/{self.name}"


@dataclass(frozen=True)
class Bounds:
    """A scalable target. `paused` is true when all scaling is suspended, `partly_paused` when some is."""

    min: int
    max: int
    paused: bool = False
    partly_paused: bool = False


@dataclass(frozen=True)
class Activity:
    """Something autoscaling did, and why."""

    at: str
    what: str
    why: str
    status: str


@dataclass
class ScaleState:
    """All that `ops scale` shows.

    Attributes:
        service: which.
        tasks: desired, running, pending.
        bounds: None when the service has no scalable target: nobody scales it.
        policies: as Application Auto Scaling describes them.
        visible, in_flight, oldest_age_seconds: of its queue; None when unknown.
        activities: the last five, the newest first.
        problems: what could not be read, and why.
    """

    service: ScaledService
    tasks: ServiceCounts
    bounds: Bounds | None = None
    policies: list[dict[str, Any]] = field(default_factory=list)
    visible: int | None = None
    in_flight: int | None = None
    oldest_age_seconds: float | None = None
    activities: list[Activity] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def tracking_policy(self) -> dict[str, Any] | None:
        """The target-tracking policy on the backlog, which has a metric of its own; None without one.

        Raises:
            OpsError: there are several.
        """
        key = "TargetTrackingScalingPolicyConfiguration"
        found = [one for one in self.policies if "CustomizedMetricSpecification" in one.get(key, {})]
        if len(found) > 1:
            names = ", ".join(one["PolicyName"] for one in found)
            raise OpsError(f"{self.service.name} has several target-tracking policies ({names})", "change them by hand")
        return found[0] if found else None

    @property
    def target(self) -> float | None:
        """Messages per task that the policy aims at."""
        policy = self.tracking_policy()
        return float(policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]) if policy else None


def service_of(text: str) -> ScaledService:
    """The service that ``CLUSTER/SERVICE`` names.

    Raises:
        UsageError: the text has another form.
    """
    cluster, slash, name = text.partition("/")
    if not (cluster and slash and name) or "/" in name:
        raise UsageError(f"--service {text}: not a service", "it is written CLUSTER/SERVICE, both as names")
    return ScaledService(cluster, name)


def service_of_pattern(pattern: PatternManifest) -> ScaledService:
    """The service of a pattern.

    Raises:
        UsageError: it has none.
    """
    service: ServiceRef | None = pattern.service
    if service is None:
        raise UsageError(f"the pattern {pattern.name!r} ({pattern.pattern}) has no service to scale")
    queue_url = pattern.queue.url if pattern.queue else None
    return ScaledService(service.cluster, service.name, queue_url, pattern.scaling.headroom if pattern.scaling else 0)


def read_state(aws: Aws, service: ScaledService) -> ScaleState:
    """Read everything; what is only shown may be missing, what a change depends on may not.

    Raises:
        OpsError: the service, its scalable target or its policies cannot be read.
    """
    try:
        tasks = service_counts(aws, ServiceRef(cluster=service.cluster, name=service.name, log_group=""))
        state = ScaleState(service, tasks, _bounds(aws, service), _policies(aws, service))
    except LookupError as error:
        raise OpsError(str(error), "`ops status` shows the services of a stack; check --region") from error
    except Exception as error:
        raise explain(error, f"the service {service.cluster}/{service.name}") from error
    try:
        state.activities = _activities(aws, service)
    except Exception as error:  # noqa: BLE001 - shown as missing
        state.problems.append(explain(error, "its scaling activities").message)
    if service.queue_url:
        try:
            queue = QueueDirectory(aws).read(service.queue_url)
            state.visible, state.in_flight = queue.visible, queue.in_flight
            state.oldest_age_seconds = oldest_age_seconds(aws, queue.name)
        except Exception as error:  # noqa: BLE001 - shown as missing
            state.problems.append(explain(error, "its queue").message)
    return state


def _bounds(aws: Aws, service: ScaledService) -> Bounds | None:
    targets = aws.autoscaling().describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[service.resource_id], ScalableDimension=DIMENSION
    )["ScalableTargets"]
    if not targets:
        return None
    suspended = [bool(value) for value in (targets[0].get("SuspendedState") or {}).values()]
    paused = len(suspended) == 3 and all(suspended)
    return Bounds(targets[0]["MinCapacity"], targets[0]["MaxCapacity"], paused, any(suspended) and not paused)


def _policies(aws: Aws, service: ScaledService) -> list[dict[str, Any]]:
    pages = (
        aws.autoscaling()
        .get_paginator("describe_scaling_policies")
        .paginate(ServiceNamespace="ecs", ResourceId=service.resource_id, ScalableDimension=DIMENSION)
    )
    return [{**policy} for page in pages for policy in page["ScalingPolicies"]]


def _activities(aws: Aws, service: ScaledService) -> list[Activity]:
    found = aws.autoscaling().describe_scaling_activities(
        ServiceNamespace="ecs", ResourceId=service.resource_id, ScalableDimension=DIMENSION, MaxResults=_ACTIVITIES
    )["ScalingActivities"]
    return [
        Activity(
            one["StartTime"].isoformat(timespec="seconds"),
            one.get("Description", ""),
            one.get("Cause", ""),
            one.get("StatusCode", ""),
        )
        for one in found
    ]
