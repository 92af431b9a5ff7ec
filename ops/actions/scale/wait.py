"""Waits until a service is steady."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from contracts.manifest import ServiceRef
from ops.actions.scale.state import ScaledService
from ops.actions.status import ServiceCounts, service_counts
from ops.errors import explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["wait_until_steady"]


def wait_until_steady(
    aws: Aws,
    service: ScaledService,
    timeout_seconds: float,
    stop: threading.Event,
    seen: Callable[[ServiceCounts], None],
    poll_seconds: float = 2.0,
) -> bool:
    """True when as many tasks run as are desired and none is starting; False after the timeout, or when stopped.

    Args:
        aws: makes clients.
        service: which.
        timeout_seconds: over 0.
        stop: ends the wait.
        seen: called with the counts when they changed.
        poll_seconds: between looks, over 0.

    Raises:
        OpsError: the service cannot be read.
    """
    deadline = time.monotonic() + timeout_seconds
    reference = ServiceRef(cluster=service.cluster, name=service.name, log_group="")
    last: ServiceCounts | None = None
    while True:
        try:
            counts = service_counts(aws, reference)
        except Exception as error:
            raise explain(error, f"the service {service.cluster}/{service.name}") from error
        if counts != last:
            seen(counts)
            last = counts
        if counts.running == counts.desired and not counts.pending:
            return True
        if time.monotonic() >= deadline or stop.wait(min(poll_seconds, max(0.0, deadline - time.monotonic()))):
            return False
