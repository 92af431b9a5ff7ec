"""Settings of a `stream-worker` → `StreamWorker`."""

from __future__ import annotations

from components.config.stream_worker import Start, StreamWorkerSettings
from components.patterns.from_settings.handler import worker_values
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
            **worker_values(name, handler, settings.capacity, settings.idempotency, shared),
            stream=stream,
            bus=shared.bus if settings.events is not None else None,
            event_pattern=settings.events,
            partition_key_path=settings.partition_key,
            enhanced_fan_out=reading.enhanced_fan_out,
            start_position={Start.OLDEST: "TRIM_HORIZON", Start.LATEST: "LATEST"}[reading.start],
            batch_size=reading.batch_size,
            max_attempts=reading.max_attempts,
            lease_seconds=reading.lease_seconds,
            acceptable_latency_seconds=scaling.acceptable_latency_seconds,
            min_tasks=scaling.min,
            max_tasks=scaling.max,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            encryption_key=shared.encryption_key,
            behind_seconds=settings.alarms.behind_seconds,
            description=settings.description,
        ),
        shared.pattern_opts,
    )
