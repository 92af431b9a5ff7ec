"""RequestScaling: the number of a service's tasks follows the work that its requests make."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute.load_balancer import LoadBalancer
from components.compute.scalable_service import Predefined, ScalableService
from components.compute.scaling_rules import task_rules
from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Check, Range, check

__all__ = ["RequestScaling", "RequestScalingArgs"]


@dataclass(frozen=True, kw_only=True)
class RequestScalingArgs:
    """Arguments of `RequestScaling`. Each target is a policy of its own; the one that wants the most tasks wins.

    Attributes:
        service: which is scaled.
        min_tasks: 1 to 5,000; default 1. From zero nothing could wake it: a request that finds no task fails. Two in
            different zones survive the loss of one.
        max_tasks: 1 to 5,000, not below `min_tasks`; default 10.
        cpu_percent: CPU use to aim at, 10 to 90; default 60; None does not follow it.
        requests_per_task: requests a minute and task to aim at, 1 to 1,000,000; needs `load_balancer`; default None.
        load_balancer: which counts them; default None.
        scale_out_cooldown_seconds, scale_in_cooldown_seconds: 0 to 3,600; default 60 and 300.
    """

    service: Service
    min_tasks: int = 1
    max_tasks: int = 10
    cpu_percent: int | None = 60
    requests_per_task: int | None = None
    load_balancer: LoadBalancer | None = None
    scale_out_cooldown_seconds: int = 60
    scale_in_cooldown_seconds: int = 300


_RULES = (
    *task_rules(minimum=1),
    Range("cpu_percent", 10, 90, "percent"),
    Range("requests_per_task", 1, 1_000_000, "requests a minute"),
    Check(
        ("requests_per_task",),
        lambda args: args.requests_per_task is not None and args.load_balancer is None,
        "requests_per_task needs a load balancer, which counts them; use cpu_percent",
    ),
    Check(
        ("cpu_percent", "requests_per_task"),
        lambda args: args.min_tasks != args.max_tasks and args.cpu_percent is None and args.requests_per_task is None,
        "there is nothing to follow: set cpu_percent or requests_per_task, or min_tasks equal to max_tasks",
    ),
)


class RequestScaling(Component):
    """The scalable target of a service with a target-tracking policy for each signal.

    Attributes:
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: RequestScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"RequestScaling {name!r}", args, _RULES)
        self._args = args
        self._scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=args.max_tasks)
        self.target = self._scalable.target
        if args.min_tasks < args.max_tasks:
            if args.cpu_percent is not None:
                self._track("cpu", "ECSServiceAverageCPUUtilization", args.cpu_percent, None)
            if args.requests_per_task is not None and args.load_balancer is not None:
                balancer = args.load_balancer
                label = pulumi.Output.concat(balancer.arn_suffix, "/", balancer.target_group_arn_suffix)
                self._track("requests", "ALBRequestCountPerTarget", args.requests_per_task, label)
        self.publish({"resource_id": args.service.resource_id})

    def _track(self, purpose: str, metric: str, value: int, label: pulumi.Input[str] | None) -> None:
        self._scalable.track(
            purpose,
            Predefined(predefined_metric_type=metric, resource_label=label),
            value,
            scale_out_cooldown_seconds=self._args.scale_out_cooldown_seconds,
            scale_in_cooldown_seconds=self._args.scale_in_cooldown_seconds,
        )
