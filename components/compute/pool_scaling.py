"""PoolScaling: the number of a pool's tasks follows the items that its maps have left, to zero and back.

The signal is published by the pattern's function (`functions.items_left`), once a minute, also when it is 0: see
docs/adr/0014-the-backlog-of-an-activity.md. Otherwise it works as for a queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.compute import scaling_metrics
from components.compute.scalable_service import Expression, ScalableService
from components.compute.scaling_metrics import Metric
from components.compute.scaling_rules import COOLDOWNS, MAX_TASKS, MINIMUM_BELOW_MAXIMUM, reachable_latency
from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Range, check
from contracts import metrics
from contracts.scaling import backlog_per_task_target

__all__ = ["UNATTENDED", "PoolScaling", "PoolScalingArgs", "items_left"]

UNATTENDED = "IF((items > 0) AND (FILL(running, 0) < 1), 1, 0)"
"""1 while items are left and no task runs. FILL is right here: a service at zero publishes nothing."""
_PER_TASK = "items / running"
"""No value without a running task: waking is the alarm's job."""
_WAKE_PERIODS = 2
_IDLE_PERIODS = 5


def items_left(pattern: str) -> Metric:
    """What the function publishes; Maximum, so that a late second sample in a minute does not double it."""
    dimensions: Mapping[str, pulumi.Input[str]] = {metrics.STACK: pulumi.get_stack(), metrics.PATTERN: pattern}
    return Metric(
        id="items", namespace=metrics.NAMESPACE, name=metrics.ITEMS_LEFT, stat="Maximum", dimensions=dimensions
    )


@dataclass(frozen=True, kw_only=True)
class PoolScalingArgs:
    """Arguments of `PoolScaling`.

    Attributes:
        service: which is scaled.
        pattern: whose items.
        min_tasks: 0 to 5,000, not above `max_tasks`; default 0.
        max_tasks: 1 to 5,000; default 10. Equal to `min_tasks` it fixes the number, and there are no policies.
        acceptable_latency_seconds: in how long a map's items should be done, over 0; default 3,600.
        processing_seconds: what a task spends on an item, over 0; default 1.
        scale_out_cooldown_seconds, scale_in_cooldown_seconds: 0 to 3,600; default 120 and 300.
    """

    service: Service
    pattern: str
    min_tasks: int = 0
    max_tasks: int = 10
    acceptable_latency_seconds: float = 3_600
    processing_seconds: float = 1
    scale_out_cooldown_seconds: int = 120
    scale_in_cooldown_seconds: int = 300


_RULES = (
    Range("min_tasks", 0, MAX_TASKS, "tasks"),
    Range("max_tasks", 1, MAX_TASKS, "tasks"),
    *COOLDOWNS,
    MINIMUM_BELOW_MAXIMUM,
    reachable_latency(),
)


class PoolScaling(Component):
    """The scalable target of a pool with its policies and the alarms that drive them.

    Attributes:
        items_per_task: that are aimed at.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: PoolScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"PoolScaling {name!r}", args, _RULES)
        self.items_per_task = backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
        scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=args.max_tasks)
        self.target = scalable.target
        if args.min_tasks < args.max_tasks:
            self._follow(scalable, args)
        self.publish({"resource_id": args.service.resource_id, "items_per_task": self.items_per_task})

    def _follow(self, scalable: ScalableService, args: PoolScalingArgs) -> None:
        items, running = items_left(args.pattern), scaling_metrics.running(args.service)
        scalable.track(
            "backlog",
            Expression(expression=_PER_TASK, label="Items per running task", metrics=[items, running]),
            self.items_per_task,
            scale_out_cooldown_seconds=args.scale_out_cooldown_seconds,
            scale_in_cooldown_seconds=args.scale_in_cooldown_seconds,
        )
        if args.min_tasks == 0:
            scalable.wake("items", UNATTENDED, [items, running], periods=_WAKE_PERIODS)
        scalable.rest(
            items,
            "no item has been left",
            periods=_IDLE_PERIODS,
            cooldown_seconds=args.scale_in_cooldown_seconds,
            idle="no map runs",
        )
