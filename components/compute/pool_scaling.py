"""PoolScaling: the number of a pool's tasks follows the items that its maps have left, to zero and back.

The signal is published by the pattern's function (`functions.items_left`), once a minute, also when it is 0: see
docs/adr/0014-the-backlog-of-an-activity.md. Otherwise it works as for a queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.compute import scaling_metrics
from components.compute.backlog_scaling import BACKLOG_RULES, Backlog, BacklogScalingArgs, follow_backlog
from components.compute.scalable_service import ScalableService
from components.compute.scaling_metrics import Metric
from components.core.base import Component
from components.core.validation import check
from contracts import metrics
from contracts.scaling import backlog_per_task_target

__all__ = ["UNATTENDED", "PoolScaling", "PoolScalingArgs", "items_left"]

UNATTENDED = scaling_metrics.unattended("items")
"""1 while items are left and no task runs."""


def items_left(pattern: str) -> Metric:
    """What the function publishes; Maximum, so that a late second sample in a minute does not double it."""
    dimensions: Mapping[str, pulumi.Input[str]] = {metrics.STACK: pulumi.get_stack(), metrics.PATTERN: pattern}
    return Metric(
        id="items", namespace=metrics.NAMESPACE, name=metrics.ITEMS_LEFT, stat="Maximum", dimensions=dimensions
    )


@dataclass(frozen=True, kw_only=True)
class PoolScalingArgs(BacklogScalingArgs):
    """Arguments of `PoolScaling`, beside those of `BacklogScalingArgs`.

    Attributes:
        pattern: whose items.
        max_tasks: 1 to 5,000; default 10. Equal to `min_tasks` it fixes the number, and there are no policies.
        acceptable_latency_seconds: in how long a map's items should be done; default 3,600.
    """

    pattern: str
    max_tasks: int = 10
    acceptable_latency_seconds: float = 3_600


class PoolScaling(Component):
    """The scalable target of a pool with its policies and the alarms that drive them.

    Attributes:
        args: as given.
        items_per_task: that are aimed at.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: PoolScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"PoolScaling {name!r}", args, BACKLOG_RULES)
        self.args = args
        self.items_per_task = backlog_per_task_target(
            args.acceptable_latency_seconds, args.processing_seconds, args.headroom
        )
        scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=args.max_tasks)
        self.target = scalable.target
        if args.min_tasks < args.max_tasks:
            backlog = Backlog(
                signal=items_left(args.pattern),
                things="items",
                label="Items per running task",
                empty="no item has been left",
                idle="no map runs",
            )
            follow_backlog(scalable, args, backlog, self.items_per_task)
        self.publish({"resource_id": args.service.resource_id, "items_per_task": self.items_per_task})
