"""What the scalings that follow a backlog have in common: their arguments, the rules of these, and their policies.

Target tracking on what waits for each running task; from zero, one task when something waits and none runs; to the
minimum when nothing has waited for some minutes. The backlog is of items, messages or records: each says which.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.compute import scaling_metrics
from components.compute.scalable_service import Expression, ScalableService
from components.compute.scaling_metrics import Metric
from components.compute.scaling_rules import HEADROOM, reachable_latency, task_rules
from components.compute.service import Service
from components.core.validation import Rule
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, DEFAULT_HEADROOM

__all__ = ["BACKLOG_RULES", "Backlog", "BacklogScalingArgs", "follow_backlog"]


@dataclass(frozen=True, kw_only=True)
class BacklogScalingArgs:
    """Arguments of every scaling that follows a backlog; the maximum is each one's own.

    Attributes:
        service: which is scaled.
        min_tasks: 0 to 5,000, not above `max_tasks`; default 0, which costs nothing while nothing waits.
        acceptable_latency_seconds: how long something may wait, over 0; default 900.
        processing_seconds: what a task spends on it, over 0; default 1.
        headroom: share of the acceptable latency that is kept for the reaction of AWS, 0 to 0.9; default 0.
        scale_out_cooldown_seconds: 0 to 3,600; default 120: a task's start and its first sample.
        scale_in_cooldown_seconds: 0 to 3,600; default 300.
    """

    service: Service
    min_tasks: int = 0
    acceptable_latency_seconds: float = DEFAULT_ACCEPTABLE_LATENCY_SECONDS
    processing_seconds: float = 1
    headroom: float = DEFAULT_HEADROOM
    scale_out_cooldown_seconds: int = 120
    scale_in_cooldown_seconds: int = 300


BACKLOG_RULES: tuple[Rule, ...] = (*task_rules(), HEADROOM, reachable_latency())


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits.

    Attributes:
        signal: how much it is; 0 is nothing.
        things: what one calls it, e.g. ``messages``.
        label: of what waits for each running task.
        empty, idle: when nothing waits, and what that means, in the words of the alarm that takes tasks away.
        purpose: in the name of the tracking policy. **A change replaces it.**
    """

    signal: Metric | Expression
    things: str
    label: str
    empty: str
    idle: str
    purpose: str = "backlog"


def follow_backlog(
    scalable: ScalableService,
    args: BacklogScalingArgs,
    backlog: Backlog,
    per_task: int,
    *,
    wake_periods: int = 2,
    idle_periods: int = 5,
) -> None:
    """The policies, and the alarms that drive them.

    Args:
        scalable: the target.
        args: bounds and cooldowns.
        backlog: what is followed.
        per_task: how much of it is aimed at for each running task.
        wake_periods, idle_periods: minutes in a row before a task is started from zero, and before the minimum.
    """
    signal = backlog.signal
    if isinstance(signal, Expression):
        waiting, metrics = signal.expression, [*signal.metrics]
    else:
        waiting, metrics = signal.id, [signal]
    metrics.append(scaling_metrics.running(args.service))
    scalable.track(
        backlog.purpose,
        Expression(expression=scaling_metrics.per_task(waiting), label=backlog.label, metrics=metrics),
        per_task,
        scale_out_cooldown_seconds=args.scale_out_cooldown_seconds,
        scale_in_cooldown_seconds=args.scale_in_cooldown_seconds,
    )
    if args.min_tasks == 0:
        scalable.wake(backlog.things, scaling_metrics.unattended(waiting), metrics, periods=wake_periods)
    scalable.rest(
        signal,
        backlog.empty,
        periods=idle_periods,
        cooldown_seconds=args.scale_in_cooldown_seconds,
        idle=backlog.idle,
    )
