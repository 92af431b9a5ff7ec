"""The dispatcher's handler: one Fargate task for each event, seen through to its end.

Used by the pattern `object-processing` with ``burst: buffered``; CONCURRENCY is how many tasks run at the same time.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from contracts import environment as env
from worker import Event
from worker.assembly import open_session
from worker.launching import LargeEvents, Launcher, read

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_s3 import S3Client

__all__ = ["handle"]

_MAKING = threading.Lock()


@functools.cache
def _launcher() -> Launcher:
    # Adaptive: after a throttled call, every thread of this client slows down together.
    config = Config(retries={"mode": "adaptive", "total_max_attempts": 8}, max_pool_connections=110)
    session, settings = open_session(), read(os.environ)
    client: ECSClient = session.client("ecs", config=config)
    large_events = None
    if settings.large_events:
        s3: S3Client = session.client("s3", config=config)
        large_events = LargeEvents(s3, settings.large_events)
    return Launcher(client, settings, prefix=os.environ.get(env.PATTERN, "worker"), large_events=large_events)


def handle(event: Event) -> dict[str, Any]:
    """Run the task to its end.

    Raises:
        NonRetryableError, TaskFailedError: see `Launcher.run`.
        SettingsError: the environment has not what `contracts.launching` names.
    """
    with _MAKING:  # else two threads make one each, with a pace of its own
        launcher = _launcher()
    return {"task": launcher.run(event)}
