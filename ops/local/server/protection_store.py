"""Which tasks are protected from scale-in, and until when. No MiniStack in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["DEFAULT_MINUTES", "MAX_MINUTES", "MIN_MINUTES", "ProtectionStore"]

MIN_MINUTES = 1
MAX_MINUTES = 2880
DEFAULT_MINUTES = 120
"""ExpiresInMinutes of UpdateTaskProtection: 1 to 2,880, default 120. Real minutes: a worker renews in real time."""


class ProtectionStore:
    """Expiry times by task ARN; thread-safe."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._expires_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def protect(self, task_arn: str, minutes: int | None = None) -> float:
        """Protect for so many minutes from now; returns the expiry (epoch seconds). Raises `ValueError`."""
        duration = DEFAULT_MINUTES if minutes is None else minutes
        if not MIN_MINUTES <= duration <= MAX_MINUTES:
            raise ValueError(f"expiresInMinutes is {duration}; allowed: {MIN_MINUTES} to {MAX_MINUTES}")
        expires_at = self._now() + duration * 60
        with self._lock:
            self._expires_at[task_arn] = expires_at
        return expires_at

    def release(self, task_arn: str) -> bool:
        """End a protection; returns whether there was one."""
        with self._lock:
            return self._expires_at.pop(task_arn, None) is not None

    def expiry(self, task_arn: str) -> float | None:
        """When the protection ends (epoch seconds); None when the task is not protected."""
        with self._lock:
            expires_at = self._expires_at.get(task_arn)
        return expires_at if expires_at is not None and expires_at > self._now() else None

    def take_expired(self) -> list[str]:
        """The tasks whose protection has lapsed since the last call."""
        with self._lock:
            lapsed = [task_arn for task_arn, expires_at in self._expires_at.items() if expires_at <= self._now()]
            for task_arn in lapsed:
                del self._expires_at[task_arn]
        return lapsed
