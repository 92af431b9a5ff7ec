"""Settings of an `activity-pool` → `ActivityPool`."""

from __future__ import annotations

from components.config.activity_pool import ActivityPoolSettings
from components.patterns.activity_pool import ActivityPool, ActivityPoolArgs
from components.patterns.from_settings.handler import worker_values
from components.shared import Shared
from components.workflows.branches import InputType
from components.workflows.retries import RetryArgs

__all__ = ["build_activity_pool"]

_LISTS = {
    "objects": None,
    "inventory": InputType.MANIFEST,
    "csv": InputType.CSV,
    "json": InputType.JSON,
    "jsonl": InputType.JSONL,
}


def build_activity_pool(name: str, settings: ActivityPoolSettings, shared: Shared) -> ActivityPool:
    items, work, scaling = settings.items, settings.map, settings.scaling
    return ActivityPool(
        name,
        ActivityPoolArgs(
            **worker_values(name, settings.handler, settings.capacity, settings.idempotency, shared),
            bucket_name=items.bucket,
            prefix=items.prefix,
            list_type=_LISTS[items.list],
            batch_size=work.batch_size,
            max_concurrency=work.max_concurrency,
            tolerated_failure_percentage=work.tolerated_failure_percentage,
            timeout_seconds=work.timeout_seconds,
            heartbeat_seconds=work.heartbeat_seconds,
            execution_timeout_seconds=work.execution_timeout_seconds,
            retry=RetryArgs(**work.retry.model_dump()),
            min_tasks=scaling.min,
            max_tasks=scaling.max,
            acceptable_latency_seconds=scaling.acceptable_latency_seconds,
            processing_seconds=scaling.processing_seconds,
            encryption_key=shared.encryption_key,
        ),
    )
