"""Settings of a `stream-worker` → `StreamWorker`."""

from __future__ import annotations

from components.compute.task_definition import Architecture
from components.config.stream_worker import Start, StreamWorkerSettings
from components.patterns.from_settings.handler import container_from, permissions_from
from components.patterns.stream_worker import StreamWorker, StreamWorkerArgs
from components.shared import Shared, stream_args
from components.streams.kinesis import KinesisStream, KinesisStreamArgs

__all__ = ["build_stream_worker"]


def build_stream_worker(name: str, settings: StreamWorkerSettings, shared: Shared) -> StreamWorker:
    handler, reading, scaling = settings.handler, settings.reading, settings.scaling
    stream: KinesisStream | KinesisStreamArgs = (
        shared.streams[settings.stream.name]
        if settings.stream.name is not None
        else stream_args(settings.stream, shared.encryption_key)
    )
    return StreamWorker(
        name,
        StreamWorkerArgs(
            network=shared.network,
            cluster=shared.cluster,
            container=container_from(name, handler),
            stream=stream,
            bus=shared.bus if settings.events is not None else None,
            event_pattern=settings.events,
            partition_key_path=settings.partition_key,
            function=handler.function,
            cpu=handler.cpu,
            memory_mib=handler.memory_mib,
            architecture=Architecture[handler.architecture.name],
            log_retention_days=handler.log_retention_days,
            log_level=handler.log_level,
            check_schemas=handler.check_schemas,
            concurrency=handler.concurrency,
            statements=permissions_from(handler),
            enhanced_fan_out=reading.enhanced_fan_out,
            start_position={Start.OLDEST: "TRIM_HORIZON", Start.LATEST: "LATEST"}[reading.start],
            batch_size=reading.batch_size,
            max_attempts=reading.max_attempts,
            lease_seconds=reading.lease_seconds,
            acceptable_latency_seconds=scaling.acceptable_latency_seconds,
            min_tasks=scaling.min,
            max_tasks=scaling.max,
            spot=settings.capacity.spot,
            on_demand_base=settings.capacity.on_demand_base,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
            encryption_key=shared.encryption_key,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
            behind_seconds=settings.alarms.behind_seconds,
            description=settings.description,
        ),
    )
