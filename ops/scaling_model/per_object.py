"""A task for each object, or a pool: what both take and cost, from published limits and prices.

Sources, N. Virginia: Amazon ECS developer guide, "Throttling" (launches); AWS Fargate pricing (a minute at least);
Step Functions quotas, "API action throttling" (GetActivityTask, SendTaskSuccess); Step Functions pricing (standard
transitions). Not in the sums, for they are the same for both or too small to see: requests to S3, logs, the idempotency
table, the counting function (43,800 calls a month).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ops.scaling_model.cost import TaskPrice

__all__ = ["Estimate", "Pool", "Work", "one_task_each", "pooled"]

LAUNCHES_AT_ONCE: Final = 100
LAUNCHES_PER_SECOND: Final = 20
"""Fargate on demand, of an account and region: a burst, and what refills it. Spot has as many of its own."""
MINIMUM_BILLED_SECONDS: Final = 60
POLLS_PER_SECOND: Final = 500
"""GetActivityTask, and SendTaskSuccess likewise."""
USD_PER_TRANSITION: Final = 0.025 / 1000
TRANSITIONS_PER_BATCH: Final = 2
"""Of a child execution with one state: into it, and out of it."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What has to be done.

    Attributes:
        objects: how many.
        seconds: that a task of this price works on one.
        start_seconds: from RunTask to the first line of the handler, billed with the image's pull; default 30.
        spot_factor: Spot's price by the price on demand; default 0.3: "up to 70 % off", which changes with the market.
    """

    objects: int
    seconds: float
    price: TaskPrice = field(default_factory=TaskPrice)
    start_seconds: float = 30
    spot_factor: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Who does it.

    Attributes:
        tasks: at its full size.
        batch: objects of one task of the activity.
        ramp_seconds: until it has its full size, coming from zero; default 300: the count of a minute, two periods of
            the alarm, a start, and the steps of target tracking. Billed for half of the tasks.
        idle_seconds: from the last object to zero; default 300.
    """

    tasks: int
    batch: int = 10
    ramp_seconds: float = 300
    idle_seconds: float = 300


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Attributes:
    seconds: from the start to the last object.
    calls: RunTask; or GetActivityTask and SendTaskSuccess.
    calls_per_second: at most.
    usd: on demand; usd_spot: on Spot.
    """

    seconds: float
    calls: int
    calls_per_second: float
    usd: float
    usd_spot: float


def one_task_each(work: Work) -> Estimate:
    """RunTask for each object, as fast as Fargate launches, without any failure."""
    launching = max(0, work.objects - LAUNCHES_AT_ONCE) / LAUNCHES_PER_SECOND
    billed = max(MINIMUM_BILLED_SECONDS, work.start_seconds + work.seconds)
    usd = work.objects * billed / 3600 * work.price.usd_per_task_hour
    return Estimate(
        seconds=launching + work.start_seconds + work.seconds,
        calls=work.objects,
        calls_per_second=LAUNCHES_PER_SECOND,
        usd=usd,
        usd_spot=usd * work.spot_factor,
    )


def pooled(work: Work, pool: Pool) -> Estimate:
    """A distributed map over batches, and a pool that sleeps before and after it."""
    batches = -(-work.objects // pool.batch)
    per_second = min(pool.tasks / (work.seconds * pool.batch), POLLS_PER_SECOND)
    working = batches / per_second
    task_seconds = pool.tasks * (working + pool.ramp_seconds / 2 + pool.idle_seconds)
    compute = task_seconds / 3600 * work.price.usd_per_task_hour
    states = (batches * TRANSITIONS_PER_BATCH + 1) * USD_PER_TRANSITION
    return Estimate(
        seconds=pool.ramp_seconds + working,
        calls=2 * batches,
        calls_per_second=2 * per_second,
        usd=compute + states,
        usd_spot=compute * work.spot_factor + states,
    )
