"""Arguments of `QueueScaling` and the rules that they keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from components.compute.scaling_rules import HEADROOM, reachable_latency, task_rules
from components.compute.service import Service
from components.core.validation import Check, OneOf, Range, Rule
from components.stores.queue import Queue
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, DEFAULT_HEADROOM, ScalingPolicy

__all__ = ["DEFAULT_STEPS", "SCALING_RULES", "QueueScalingArgs", "ScalingStep"]


@dataclass(frozen=True)
class ScalingStep:
    """From this many visible messages on, add this many tasks."""

    visible_messages: int
    add_tasks: int


DEFAULT_STEPS = (ScalingStep(1, 1), ScalingStep(100, 5), ScalingStep(1_000, 20))
"""One task as soon as something waits; a burst is not worked off one task and one cooldown at a time."""


@dataclass(frozen=True, kw_only=True)
class QueueScalingArgs:
    """Arguments of `QueueScaling`.

    Attributes:
        service: which is scaled.
        queue: which it works off.
        policy: default backlog per task.
        min_tasks: 0 to 5,000, not above `max_tasks`; default 0, which costs nothing while the queue is empty. A queue
            that slept for six hours can take SQS up to 15 minutes to report its first message: 1 avoids the wait.
        max_tasks: 1 to 5,000; default 10. Equal to `min_tasks` it fixes the number, and there are no policies.
        acceptable_latency_seconds: backlog-per-task: how long a message may wait; default 900.
        processing_seconds: backlog-per-task: what a task spends on a message; default 1.
        headroom: backlog-per-task: share of the acceptable latency that is kept for the reaction of AWS, 0 to 0.9;
            default 0.
        steps: queue-depth: ascending in both numbers; default `DEFAULT_STEPS`.
        scale_out_cooldown_seconds: 0 to 3,600; default 120 (backlog-per-task: a task's start and its first sample, so
            that starting tasks are not ordered twice) or 300 (queue-depth, whose steps know no target).
        scale_in_cooldown_seconds: 0 to 3,600; default 300.
        wake_periods: minutes in a row, 1 to 10, in which messages wait and no task runs before one is started; default
            2. With 1 a late sample of running tasks can be taken for none, and a task too many be started.
        idle_periods: minutes in a row, 1 to 60, without a message waiting or in flight before the service goes to its
            minimum; default 5.
    """

    service: Service
    queue: Queue
    policy: ScalingPolicy = ScalingPolicy.BACKLOG_PER_TASK
    min_tasks: int = 0
    max_tasks: int = 10
    acceptable_latency_seconds: float = DEFAULT_ACCEPTABLE_LATENCY_SECONDS
    processing_seconds: float = 1
    headroom: float = DEFAULT_HEADROOM
    steps: Sequence[ScalingStep] = DEFAULT_STEPS
    scale_out_cooldown_seconds: int | None = None
    scale_in_cooldown_seconds: int = 300
    wake_periods: int = 2
    idle_periods: int = 5


def _wrong_steps(steps: Sequence[ScalingStep]) -> bool:
    if not steps or steps[0].visible_messages < 1 or steps[0].add_tasks < 1:
        return True
    return any(a.visible_messages >= b.visible_messages or a.add_tasks >= b.add_tasks for a, b in pairwise(steps))


SCALING_RULES: tuple[Rule, ...] = (
    OneOf("policy", tuple(item.value for item in ScalingPolicy)),
    *task_rules(),
    Range("wake_periods", 1, 10, "minutes"),
    Range("idle_periods", 1, 60, "minutes"),
    HEADROOM,
    reachable_latency(lambda args: args.policy == ScalingPolicy.BACKLOG_PER_TASK),
    Check(
        ("steps",),
        lambda args: _wrong_steps(args.steps),
        lambda args: (
            f"steps are {[(step.visible_messages, step.add_tasks) for step in args.steps]}; allowed are one or more "
            "pairs (visible messages, tasks to add) from (1, 1), ascending in both"
        ),
    ),
)
