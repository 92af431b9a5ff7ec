"""Follow a job to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from contracts.job_table import Job
from contracts.manifest import PatternManifest
from ops.actions.jobs.reading import read_job
from ops.errors import OpsError

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["follow"]

_LOOK_SECONDS = 1.0


def follow(
    aws: Aws,
    pattern: PatternManifest,
    job_id: str,
    stop: threading.Event,
    tell: Callable[[Job], None],
    timeout_seconds: float,
) -> Job:
    """Look at the record until it is final, `stop` is set or the time is over; the last record seen.

    Args:
        tell: called at first and with each change of the state.

    Raises:
        OpsError: the record is gone.
    """
    give_up_at = time.monotonic() + timeout_seconds
    seen: Job | None = None
    while True:
        job = read_job(aws, pattern, job_id)
        if job is None:
            raise OpsError(f"job {job_id} is no longer in the table {pattern.jobs.table if pattern.jobs else ''}")
        if seen is None or job.state is not seen.state:
            tell(job)
        seen = job
        if job.state.final or time.monotonic() >= give_up_at or stop.wait(_LOOK_SECONDS):
            return job
