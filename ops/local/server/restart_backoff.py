"""How long a service waits before it replaces a task that keeps failing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_DELAY_SECONDS", "STABLE_SECONDS", "RestartBackoff", "counts_as_crash"]

MAX_DELAY_SECONDS = 900.0
"""The scheduler's longest pause between two attempts: 15 minutes."""
STABLE_SECONDS = 10.0
"""A task that ran this long (real time) was no crash at start."""
_KILLED = 137


def counts_as_crash(uptime_seconds: float | None, exit_codes: list[int | None]) -> bool:
    """Whether a task's end belongs to a crash loop.

    It does when the task never ran, or ran for less than `STABLE_SECONDS` and ended by itself. A task that was
    killed from outside (SIGKILL: 137) says nothing about its code.

    Parameters
    ----------
    uptime_seconds:
        How long it was RUNNING; None when it never was.
    exit_codes:
        The containers' exit codes; None for a container that has none.
    """
    if uptime_seconds is None:
        return True
    return uptime_seconds < STABLE_SECONDS and _KILLED not in exit_codes


@dataclass
class RestartBackoff:
    """The pause of one deployment: 1, 2, 4 … seconds, at most 15 minutes, until a task stays up."""

    deployment_id: str
    failures: int = 0
    not_before: float = 0.0

    def failed(self, now: float, *, speedup: float) -> float:
        """Count a crash at `now` (seconds of any clock); returns the pause in real seconds.

        The first replacement starts at once; emulated pauses are divided by `speedup`.
        """
        self.failures += 1
        delay = 0.0 if self.failures == 1 else min(MAX_DELAY_SECONDS, 2.0 ** (self.failures - 2)) / speedup
        self.not_before = now + delay
        return delay

    def recovered(self) -> None:
        """A task stayed up: the next failure is a first one."""
        self.failures = 0
        self.not_before = 0.0

    def wait_seconds(self, now: float) -> float:
        """How long to wait from `now` on before a task may start; 0 when it may start now."""
        return max(0.0, self.not_before - now)
