"""States of a tracked job (an ECS task that somebody started on purpose)."""

from enum import StrEnum

__all__ = ["JobState"]


class JobState(StrEnum):
    """A job moves down this list and never up; the last three are final."""

    SUBMITTED = "SUBMITTED"
    """Recorded; RunTask has not answered."""
    STARTING = "STARTING"
    """ECS accepted the task (PROVISIONING, PENDING, ACTIVATING)."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    """DEACTIVATING, STOPPING, DEPROVISIONING."""
    SUCCEEDED = "SUCCEEDED"
    """Stopped, and every essential container exited 0."""
    FAILED = "FAILED"
    """Stopped for any other reason, or never launched."""
    STOPPED = "STOPPED"
    """Stopped because somebody asked for it."""

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPED)
