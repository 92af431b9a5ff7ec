"""When EventBridge tries a failed delivery again, and when it gives up. No MiniStack in here."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Exhausted", "RetryPolicy"]

FIRST_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 900.0
_JITTER = 0.25


class Exhausted(StrEnum):
    """The value of EXHAUSTED_RETRY_CONDITION."""

    ATTEMPTS = "MaximumRetryAttempts"
    AGE = "MaximumEventAgeInSeconds"


@dataclass(frozen=True)
class RetryPolicy:
    """A target's RetryPolicy.

    Attributes
    ----------
    maximum_attempts:
        Retries after the first attempt, 0 to 185; default 185.
    maximum_age_seconds:
        How old an event may get, 60 to 86,400 emulated seconds; default 86,400.
    speedup:
        Divides every delay and the age.
    """

    maximum_attempts: int = 185
    maximum_age_seconds: float = 86_400
    speedup: float = 1.0

    @classmethod
    def of_target(cls, target: dict[str, Any], speedup: float) -> RetryPolicy:
        """The policy of a PutTargets entry."""
        given = target.get("RetryPolicy") or {}
        return cls(
            int(given.get("MaximumRetryAttempts", 185)), float(given.get("MaximumEventAgeInSeconds", 86_400)), speedup
        )

    def exhausted(self, retries: int, age_seconds: float) -> Exhausted | None:
        """Why there is no retry after `retries` retries, `age_seconds` (real) after the event; None: there is one."""
        if retries >= self.maximum_attempts:
            return Exhausted.ATTEMPTS
        if age_seconds * self.speedup >= self.maximum_age_seconds:
            return Exhausted.AGE
        return None

    def delay_seconds(self, retries: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """The real time to wait before retry number ``retries + 1``: doubling from 1 s up to 15 min, ± 25 %."""
        delay = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(retries, 20))
        return delay * uniform(1 - _JITTER, 1 + _JITTER) / self.speedup
