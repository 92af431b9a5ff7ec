"""Settings of a `kafka-worker` → `KafkaWorker`."""

from __future__ import annotations

from components.config.kafka_worker import KafkaWorkerSettings
from components.patterns.from_settings.handler import warn_from_zero, worker_values
from components.patterns.kafka_worker import KafkaWorker, KafkaWorkerArgs
from components.shared import Shared

__all__ = ["build_kafka_worker"]


def build_kafka_worker(name: str, settings: KafkaWorkerSettings, shared: Shared) -> KafkaWorker:
    handler, reading, scaling = settings.handler, settings.reading, settings.scaling
    kafka = shared.kafka[settings.cluster]
    warn_from_zero(name, scaling.min, scaling.acceptable_latency_seconds)
    return KafkaWorker(
        name,
        KafkaWorkerArgs(
            **worker_values(name, handler, settings.capacity, settings.idempotency, shared),
            kafka=kafka,
            topic=kafka.topics[settings.topic],
            group=settings.group,
            start=reading.start,
            order=reading.order,
            batch_size=reading.batch_size,
            max_attempts=reading.max_attempts,
            session_seconds=reading.session_seconds,
            dead_letter_topic=reading.dead_letter_topic,
            acceptable_latency_seconds=scaling.acceptable_latency_seconds,
            processing_seconds=scaling.processing_seconds,
            headroom=scaling.headroom,
            min_tasks=scaling.min,
            max_tasks=scaling.max,
            encryption_key=shared.encryption_key,
            lag_seconds=settings.alarms.lag_seconds,
            lag_records=settings.alarms.lag_records,
        ),
    )
