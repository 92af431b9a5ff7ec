"""What the manifests of several patterns say in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import pulumi

from components.compute.backlog_scaling import BacklogScalingArgs
from components.compute.scaling_args import QueueScalingArgs
from components.compute.service import Service
from components.compute.task import Task
from components.core.base import Component
from components.core.place import place_of
from components.manifest import published, render, service_ref
from components.stores.idempotency_table import IdempotencyTable
from contracts.manifest import PatternManifest, ScalingRef, TaskRef
from contracts.scaling import ScalingPolicy

__all__ = ["Alarms", "backlog_scaling", "pattern_manifest", "task_ref", "worker_manifest"]


class Alarms(Protocol):
    """A component of alarms."""

    @property
    def alarm_names(self) -> Sequence[pulumi.Output[str]]: ...


def backlog_scaling(
    args: BacklogScalingArgs | QueueScalingArgs, *, max_tasks: int, policy: str = ScalingPolicy.BACKLOG_PER_TASK
) -> ScalingRef:
    """How the tasks follow a backlog: by the arguments that the policies were made from.

    Args:
        args: of the scaling.
        max_tasks: the one in force.
        policy: what it is called.
    """
    return ScalingRef(
        policy=policy,
        min=args.min_tasks,
        max=max_tasks,
        acceptable_latency_seconds=args.acceptable_latency_seconds,
        processing_seconds=args.processing_seconds,
        headroom=args.headroom,
    )


def task_ref(task: Task) -> pulumi.Output[TaskRef]:
    return published(
        TaskRef,
        cluster=task.cluster.cluster_name,
        family=task.definition.family,
        log_group=task.definition.log_group_name,
    )


def pattern_manifest(
    owner: Component,
    pattern: str,
    *,
    scaling: ScalingRef | None = None,
    **values: pulumi.Input[Any],
) -> pulumi.Output[str]:
    """The manifest of the pattern `owner`, as JSON text.

    Args:
        owner, pattern: which, and of what kind.
        scaling: of its service.
        values: the other fields of `PatternManifest` that it has.
    """
    known = PatternManifest(name=owner.name, pattern=pattern, stack=pulumi.get_stack(), region="", scaling=scaling)
    return render(known, region=place_of(owner).region, **values)


def worker_manifest(
    owner: Component,
    pattern: str,
    *,
    scaling: ScalingRef,
    service: Service,
    table: IdempotencyTable | None,
    alarms: Iterable[Alarms | None],
    **values: pulumi.Input[Any],
) -> pulumi.Output[str]:
    """The manifest of a pattern whose handler runs in a service; `table` and `alarms` are None where it has none."""
    return pattern_manifest(
        owner,
        pattern,
        scaling=scaling,
        service=service_ref(service),
        idempotency_table=table.table_name if table else None,
        alarms=[name for several in alarms if several for name in several.alarm_names],
        **values,
    )
