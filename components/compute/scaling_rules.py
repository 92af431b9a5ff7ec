"""Rules that the arguments of the scaling components share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components.core.validation import Check, Range, Rule
from contracts.errors import ScalingError
from contracts.scaling import MAX_HEADROOM, backlog_per_task_target

__all__ = ["COOLDOWNS", "HEADROOM", "reachable_latency", "task_rules"]

MAX_TASKS = 5_000
"""Amazon ECS quotas: "Tasks per service"."""

COOLDOWNS: tuple[Rule, ...] = (
    Range("scale_out_cooldown_seconds", 0, 3_600, "seconds"),
    Range("scale_in_cooldown_seconds", 0, 3_600, "seconds"),
)

HEADROOM = Range("headroom", 0, MAX_HEADROOM, "of the acceptable latency", whole=False)

_MINIMUM_BELOW_MAXIMUM = Check(
    ("min_tasks", "max_tasks"),
    lambda args: args.min_tasks > args.max_tasks,
    lambda args: (
        f"min_tasks is {args.min_tasks}, more than max_tasks ({args.max_tasks}); lower min_tasks or raise max_tasks"
    ),
)


def task_rules(minimum: int = 0) -> tuple[Rule, ...]:
    """The rules of the bounds and the cooldowns; `minimum` is 1 where nothing could wake a service at zero."""
    return (
        Range("min_tasks", minimum, MAX_TASKS, "tasks"),
        Range("max_tasks", 1, MAX_TASKS, "tasks"),
        *COOLDOWNS,
        _MINIMUM_BELOW_MAXIMUM,
    )


def reachable_latency(applies: Callable[[Any], bool] = lambda args: True) -> Rule:
    """The rule that a task can work off a message within the latency; only where `applies`."""

    def problem(args: Any) -> str | None:
        if not applies(args):
            return None
        try:
            backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
        except ScalingError as error:
            return str(error)
        return None

    return Check(
        ("acceptable_latency_seconds", "processing_seconds"),
        lambda args: problem(args) is not None,
        lambda args: str(problem(args)),
    )
