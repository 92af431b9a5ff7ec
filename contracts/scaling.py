"""How many messages one task may have waiting: the sum that `pulumi up` and `ops scale` must agree on."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum

from contracts.errors import ScalingError

__all__ = [
    "DEFAULT_ACCEPTABLE_LATENCY_SECONDS",
    "DEFAULT_HEADROOM",
    "MAX_HEADROOM",
    "RECOMMENDED_HEADROOM",
    "WAKE_SECONDS",
    "ScalingPolicy",
    "backlog_per_task_target",
    "latency_from_zero_problem",
]

DEFAULT_ACCEPTABLE_LATENCY_SECONDS = 900
"""The least (in steps of five minutes) that backlog-per-task keeps with its default settings, for at most 1.25 times
the task-hours of who knows the future, on steady, unpredictable and burst traffic: docs/scaling.md, docs/adr/0013."""

DEFAULT_HEADROOM = 0
"""Of the acceptable latency: none, so that a target is the one of AWS's guide, which people compute by hand."""

RECOMMENDED_HEADROOM = 0.25
"""For more than a second of processing: the share of the acceptable latency until AWS has noticed a rise and a task has
started, by which a burst is late without it. 0.2 is too late for bursts of long messages, 0.3 too dear for those of
short ones (docs/scaling.md, docs/adr/0016)."""

MAX_HEADROOM = 0.9
"""The rest is what the messages may wait once the tasks run."""

WAKE_SECONDS = 300
"""Until a service at zero takes the first message: two metric periods, an alarm evaluation, a Fargate start
(docs/adr/0004). A queue in SQS without a receive for six hours can need 15 minutes more."""


class ScalingPolicy(StrEnum):
    """How a service follows its queue."""

    BACKLOG_PER_TASK = "backlog-per-task"
    """Target tracking on messages per running task: the answer to steady and to unpredictable traffic."""
    QUEUE_DEPTH = "queue-depth"
    """Step scaling on the visible messages: simple steps at fixed depths."""


def backlog_per_task_target(acceptable_latency_seconds: float, processing_seconds: float, headroom: float = 0) -> int:
    """Messages that may wait for each running task: acceptable latency / average processing time, rounded down.

    A task that finds no more than this waiting has worked it off within the latency (AWS, "Scaling based on Amazon
    SQS"). Rounded down, because one message more would be late. Computed in decimal: 0.3 / 0.1 is 3 here. With a
    headroom of a quarter, three quarters of the latency are divided.

    Args:
        acceptable_latency_seconds: how long a message may wait; over 0, not below `processing_seconds`.
        processing_seconds: average seconds that one task spends on one message; over 0. A task that handles N messages
            at the same time spends a N-th of a message's own time.
        headroom: the share of the latency that is kept for the reaction of AWS, 0 to `MAX_HEADROOM`; default 0.

    Returns:
        At least 1: a message that finds an idle task is in time, with any headroom.

    Raises:
        ScalingError: a value is not a positive number, or no number of tasks could meet the latency.
    """
    for name, value in (
        ("acceptable_latency_seconds", acceptable_latency_seconds),
        ("processing_seconds", processing_seconds),
    ):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise ScalingError(f"{name} is {value!r}; allowed is a number of seconds over 0")
    if processing_seconds > acceptable_latency_seconds:
        raise ScalingError(
            f"processing_seconds is {processing_seconds:g}, more than acceptable_latency_seconds "
            f"({acceptable_latency_seconds:g}): one message alone takes longer than that, however many tasks run; "
            "raise the latency or make the processing faster"
        )
    if not 0 <= headroom <= MAX_HEADROOM:
        raise ScalingError(f"headroom is {headroom!r}; allowed is a share of the latency from 0 to {MAX_HEADROOM:g}")
    aimed_at = Decimal(str(acceptable_latency_seconds)) * (1 - Decimal(str(headroom)))
    return max(1, int(aimed_at // Decimal(str(processing_seconds))))


def latency_from_zero_problem(min_tasks: int, acceptable_latency_seconds: float) -> str | None:
    """Why this latency cannot be kept from zero tasks, as a sentence; None when it can."""
    if min_tasks > 0 or acceptable_latency_seconds >= WAKE_SECONDS:
        return None
    return (
        f"acceptable_latency_seconds is {acceptable_latency_seconds:g} with min 0; from zero the first messages wait "
        f"up to {WAKE_SECONDS} seconds, until AWS has noticed them and a task has started. With min 1 or more a task "
        f"is there for them, with a latency of {WAKE_SECONDS} or more they are in time; what the messages after them "
        "need depends on your traffic, and `ops plan-scaling` shows it"
    )
