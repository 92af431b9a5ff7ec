"""What this worker calls itself where others see it: in leases, and to Kafka's brokers."""

from __future__ import annotations

import json
import logging
import socket
import urllib.request
from collections.abc import Mapping

from contracts import environment as names
from worker.logs import Field

__all__ = ["worker_name"]

_TIMEOUT_SECONDS = 2.0
"""The agent is on the same host."""

logger = logging.getLogger(__name__)


def worker_name(environment: Mapping[str, str]) -> str:
    """The id of the ECS task, with which `aws ecs describe-tasks` finds it; outside ECS the host's name."""
    uri = environment.get(names.ECS_METADATA_URI, "").strip()
    if not uri:
        return socket.gethostname()
    try:
        # The agent is link-local: a proxy of the environment must not see it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{uri.rstrip('/')}/task", timeout=_TIMEOUT_SECONDS) as answer:
            task_arn = json.load(answer)["TaskARN"]
        return str(task_arn).rsplit("/", 1)[-1]
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning(
            "the task's metadata cannot be read; the host's name stands for it", extra={Field.REASON: str(error)}
        )
        return socket.gethostname()
