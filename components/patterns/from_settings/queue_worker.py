"""Settings of a `queue-worker` → `QueueWorker`."""

from __future__ import annotations

import dataclasses

from components.config.compute import CapacitySettings, HandlerSettings
from components.config.queue_worker import IdempotencySettings, QueueSettings, QueueWorkerSettings, ScalingSettings
from components.patterns.from_settings.handler import warn_from_zero, worker_values
from components.patterns.queue_worker import QueueWorker, QueueWorkerArgs
from components.shared import Shared
from components.stores.queue import QueueArgs
from contracts.scaling import ScalingPolicy

__all__ = ["build_queue_worker", "queue_worker_args"]


def build_queue_worker(name: str, settings: QueueWorkerSettings, shared: Shared) -> QueueWorker:
    return QueueWorker(
        name,
        dataclasses.replace(
            queue_worker_args(
                name,
                settings.handler,
                settings.queue,
                settings.scaling,
                settings.capacity,
                settings.idempotency,
                shared,
            ),
            event_pattern=settings.events,
            message_group_id=settings.queue.message_group_id,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            oldest_message_seconds=settings.alarms.oldest_message_seconds,
            description=settings.description,
        ),
        shared.pattern_opts,
    )


def queue_worker_args(
    name: str,
    handler: HandlerSettings,
    queue: QueueSettings,
    scaling: ScalingSettings,
    capacity: CapacitySettings,
    idempotency: IdempotencySettings,
    shared: Shared,
) -> QueueWorkerArgs:
    """A worker without the rule that feeds it."""
    if scaling.policy is ScalingPolicy.BACKLOG_PER_TASK:
        warn_from_zero(name, scaling.min, scaling.acceptable_latency_seconds)
    return QueueWorkerArgs(
        **worker_values(name, handler, capacity, idempotency, shared),
        bus=shared.bus,
        queue=QueueArgs(
            fifo=queue.fifo,
            high_throughput=queue.high_throughput,
            processing_seconds=min(7_200, scaling.processing_seconds * handler.concurrency),
            visibility_timeout_seconds=queue.visibility_timeout_seconds,
            max_receive_count=queue.max_receive_count,
            retention_days=queue.retention_days,
            delay_seconds=queue.delay_seconds,
            encryption_key=shared.encryption_key,
        ),
        batch_size=queue.batch_size,
        receive_wait_seconds=queue.receive_wait_seconds,
        policy=scaling.policy,
        acceptable_latency_seconds=scaling.acceptable_latency_seconds,
        processing_seconds=scaling.processing_seconds,
        headroom=scaling.headroom,
        min_tasks=scaling.min,
        max_tasks=scaling.max,
    )
