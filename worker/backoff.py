"""How long to wait before trying again."""

from __future__ import annotations

import math
import random

__all__ = ["MAX_RETRY_SECONDS", "retry_delay_seconds", "spread"]

MAX_RETRY_SECONDS = 300


def retry_delay_seconds(receive_count: int) -> int:
    """The back-off of a message that failed for the `receive_count`-th time, in whole seconds as SQS wants it.

    1 s doubled with each receive, at most `MAX_RETRY_SECONDS`, of which a random half ("equal jitter": Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): messages that failed together come back apart,
    and none at once.
    """
    return math.ceil(spread(min(2.0 ** min(receive_count - 1, 30), MAX_RETRY_SECONDS)))


def spread(seconds: float) -> float:
    """Between half of `seconds` and `seconds`, at random."""
    return seconds / 2 + random.uniform(0, seconds / 2)
