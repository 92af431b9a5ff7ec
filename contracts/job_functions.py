"""What the functions of the jobs, the program and `ops` agree on: environment variables, the tick, metrics."""

from typing import Final

__all__ = [
    "METRICS_NAMESPACE",
    "OLDEST_UNFINISHED",
    "OLDEST_UNLAUNCHED",
    "PATIENCE_SECONDS",
    "RETENTION_DAYS",
    "TABLE",
    "TICK",
    "UNLAUNCHABLE",
]

TABLE: Final = "JOB_TABLE"
"""Name of the table."""
RETENTION_DAYS: Final = "JOB_RETENTION_DAYS"
"""How long an ended job is remembered."""
PATIENCE_SECONDS: Final = "JOB_PATIENCE_SECONDS"
"""How long a job may wait for a launch that succeeds."""

TICK: Final = "JobsTick"
"""``detail-type`` of the event by which create_job looks after jobs that nobody else will."""

METRICS_NAMESPACE: Final = "EDA/Jobs"
OLDEST_UNLAUNCHED: Final = "OldestUnlaunchedSeconds"
"""Age of the oldest job that has no task yet; 0 without one. At each tick."""
OLDEST_UNFINISHED: Final = "OldestUnfinishedSeconds"
"""Age of the oldest job that has not ended; 0 without one. At each tick."""
UNLAUNCHABLE: Final = "UnlaunchableJobs"
"""Jobs given up without a task."""
