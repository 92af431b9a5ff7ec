"""StreamScaling: the number of a service's tasks follows how far they are behind the stream.

Lag is not a backlog that is divided among tasks, so target tracking does not fit: it would order ten times the tasks
for ten times the lag, although twice as many catch up. Steps do: half as many again when behind, twice as many when far
behind, one less after a quarter of an hour without lag. A shard has one worker at a time, so more tasks than shards are
of no use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.compute.scalable_service import ScalableService, step
from components.compute.scaling_metrics import Metric
from components.compute.scaling_rules import task_rules
from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Check, Range, check
from contracts import metrics

__all__ = ["StreamScaling", "StreamScalingArgs", "lag_dimensions"]

_FAR_BEHIND = 3
"""Times the acceptable latency."""
_CAUGHT_UP_PERIODS = 15


def lag_dimensions(pattern: str) -> Mapping[str, str]:
    """Of the metrics that the worker of this pattern publishes."""
    return {metrics.STACK: pulumi.get_stack(), metrics.PATTERN: pattern}


@dataclass(frozen=True, kw_only=True)
class StreamScalingArgs:
    """Arguments of `StreamScaling`.

    Attributes:
        service: which is scaled.
        pattern: whose worker publishes the lag.
        min_tasks: 1 to 5,000, not above `max_tasks`; default 1: a stream whose readers sleep tells nobody that records
            wait.
        max_tasks: 1 to 5,000, not above `shard_count`; default 4, the shards of a new on-demand stream. Equal to
            `min_tasks` it fixes the number, and there are no policies.
        shard_count: of the stream; default None: not known, because the stream counts its shards itself.
        acceptable_latency_seconds: how far behind the tasks may be, 1 to 86,400; default 60.
        scale_out_cooldown_seconds: 0 to 3,600; default 180: a task's start, its leases and its first sample.
        scale_in_cooldown_seconds: 0 to 3,600; default 300.
    """

    service: Service
    pattern: str
    min_tasks: int = 1
    max_tasks: int = 4
    shard_count: int | None = None
    acceptable_latency_seconds: float = 60
    scale_out_cooldown_seconds: int = 180
    scale_in_cooldown_seconds: int = 300


_RULES = (
    *task_rules(minimum=1),
    Range("acceptable_latency_seconds", 1, 86_400, "seconds", whole=False),
    Check(
        ("max_tasks", "shard_count"),
        lambda args: args.shard_count is not None and args.max_tasks > args.shard_count,
        lambda args: (
            f"max_tasks is {args.max_tasks}, more than the {args.shard_count} shards: a shard has one worker at a "
            "time, and the others would idle; lower max_tasks or raise the shards"
        ),
    ),
)


class StreamScaling(Component):
    """The scalable target of a service with its two step policies and the alarms that drive them.

    Attributes:
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: StreamScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"StreamScaling {name!r}", args, _RULES)
        scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=args.max_tasks)
        self.target = scalable.target
        if args.min_tasks < args.max_tasks:
            self._follow_lag(scalable, args)
        self.publish({"resource_id": args.service.resource_id})

    def _follow_lag(self, scalable: ScalableService, args: StreamScalingArgs) -> None:
        lag = Metric(
            id="lag",
            namespace=metrics.NAMESPACE,
            name=metrics.LAG_MILLISECONDS,
            stat="Maximum",
            dimensions=lag_dimensions(args.pattern),
        )
        threshold = args.acceptable_latency_seconds * 1000
        far = (_FAR_BEHIND - 1) * threshold  # steps are relative to the threshold
        scalable.follow(
            "behind",
            lag,
            f"Not a fault: adds tasks of {args.pattern} when they are {args.acceptable_latency_seconds:g} seconds "
            "behind the stream.",
            "PercentChangeInCapacity",
            [step(50, lower=0, upper=far), step(100, lower=far)],
            min_adjustment_magnitude=1,
            threshold=threshold,
            periods=2,
            cooldown_seconds=args.scale_out_cooldown_seconds,
        )
        scalable.follow(
            "caught-up",
            lag,
            f"Not a fault: takes one task of {args.pattern} away when none was behind for {_CAUGHT_UP_PERIODS} "
            "minutes. In ALARM whenever the stream is quiet.",
            "ChangeInCapacity",
            [step(-1, upper=0)],
            threshold=threshold / 10,
            periods=_CAUGHT_UP_PERIODS,
            cooldown_seconds=args.scale_in_cooldown_seconds,
            below=True,
        )
