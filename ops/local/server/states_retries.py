"""Which retrier and which catcher of a state take an error, and how long a retry waits.

After the Amazon States Language, "Errors" and "Retrying after error", and the Step Functions developer guide, "Handling
errors": States.Timeout stands for a missed heartbeat, too; States.TaskFailed for everything but timeouts; no wildcard
for States.Runtime and States.DataLimitExceeded.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["HEARTBEAT_TIMEOUT", "TIMEOUT", "Retries", "catcher_of"]

TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
_TERMINAL = frozenset({"States.Runtime", "States.DataLimitExceeded"})
_DEFAULT_ATTEMPTS, _DEFAULT_INTERVAL, _DEFAULT_RATE = 3, 1, 2.0


def _matches(names: Sequence[str], error: str) -> bool:
    if error in _TERMINAL:
        return error in names
    if error in names or "States.ALL" in names:
        return True
    if error == HEARTBEAT_TIMEOUT:
        return TIMEOUT in names
    return "States.TaskFailed" in names and error != TIMEOUT


def catcher_of(state: Mapping[str, Any], error: str) -> dict[str, Any] | None:
    """The first catcher that takes the error."""
    catchers: Sequence[dict[str, Any]] = state.get("Catch", ())
    return next((item for item in catchers if _matches(item.get("ErrorEquals", ()), error)), None)


@dataclass
class Retries:
    """The retries of one visit to one state.

    Attributes:
        state: its definition.
        counts: of each retrier, by position.
    """

    state: Mapping[str, Any]
    counts: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """``$$.State.RetryCount``."""
        return sum(self.counts.values())

    def delay_seconds(self, error: str) -> float | None:
        """How long to wait before the next attempt; None: the error is not retried (any more)."""
        for position, retrier in enumerate(self.state.get("Retry", ())):
            if not _matches(retrier.get("ErrorEquals", ()), error):
                continue
            count = self.counts.get(position, 0)
            if count >= retrier.get("MaxAttempts", _DEFAULT_ATTEMPTS):
                return None
            self.counts[position] = count + 1
            delay = float(retrier.get("IntervalSeconds", _DEFAULT_INTERVAL))
            delay *= float(retrier.get("BackoffRate", _DEFAULT_RATE)) ** count
            delay = min(delay, float(retrier.get("MaxDelaySeconds", delay)))
            return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay
        return None
