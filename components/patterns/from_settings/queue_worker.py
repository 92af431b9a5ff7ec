"""Settings of a `queue-worker` → `QueueWorker`."""

from __future__ import annotations

import dataclasses

from components.config.fan_out import FanOutWorkerSettings
from components.config.queue_worker import QueueWorkerSettings
from components.patterns.from_settings.handler import container_from, permissions_from
from components.patterns.queue_worker import QueueWorker, QueueWorkerArgs
from components.shared import Shared
from components.stores.queue import QueueArgs

__all__ = ["build_queue_worker", "queue_worker_args"]


def build_queue_worker(name: str, settings: QueueWorkerSettings, shared: Shared) -> QueueWorker:
    return QueueWorker(
        name,
        dataclasses.replace(
            queue_worker_args(name, settings, shared),
            event_pattern=settings.events,
            message_group_id=settings.queue.message_group_id,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            description=settings.description,
        ),
    )


def queue_worker_args(
    name: str, settings: QueueWorkerSettings | FanOutWorkerSettings, shared: Shared
) -> QueueWorkerArgs:
    """A worker without the rule that feeds it."""
    handler, queue, scaling = settings.handler, settings.queue, settings.scaling
    return QueueWorkerArgs(
        network=shared.network,
        cluster=shared.cluster,
        bus=shared.bus,
        container=container_from(name, handler),
        function=handler.function,
        cpu=handler.cpu,
        memory_mib=handler.memory_mib,
        architecture=handler.architecture,
        log_retention_days=handler.log_retention_days,
        log_level=handler.log_level,
        concurrency=handler.concurrency,
        check_schemas=handler.check_schemas,
        statements=permissions_from(handler),
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
        policy=scaling.policy,
        acceptable_latency_seconds=scaling.acceptable_latency_seconds,
        processing_seconds=scaling.processing_seconds,
        min_tasks=scaling.min,
        max_tasks=scaling.max,
        spot=settings.capacity.spot,
        on_demand_base=settings.capacity.on_demand_base,
        idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
        alarms=shared.alarms_enabled,
        alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
        oldest_message_seconds=settings.alarms.oldest_message_seconds,
    )
