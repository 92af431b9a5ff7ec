"""Settings of a `kafka-worker` → `KafkaWorker`."""

from __future__ import annotations

from components.compute.task_definition import Architecture
from components.config.kafka_worker import KafkaWorkerSettings
from components.patterns.from_settings.handler import container_from, permissions_from
from components.patterns.kafka_worker import KafkaWorker, KafkaWorkerArgs
from components.shared import Shared

__all__ = ["build_kafka_worker"]


def build_kafka_worker(name: str, settings: KafkaWorkerSettings, shared: Shared) -> KafkaWorker:
    handler, reading, scaling = settings.handler, settings.reading, settings.scaling
    kafka = shared.kafka[settings.cluster]
    return KafkaWorker(
        name,
        KafkaWorkerArgs(
            network=shared.network,
            cluster=shared.cluster,
            container=container_from(name, handler),
            kafka=kafka,
            topic=kafka.topics[settings.topic],
            group=settings.group,
            function=handler.function,
            cpu=handler.cpu,
            memory_mib=handler.memory_mib,
            architecture=Architecture[handler.architecture.name],
            log_retention_days=handler.log_retention_days,
            log_level=handler.log_level,
            check_schemas=handler.check_schemas,
            concurrency=handler.concurrency,
            statements=permissions_from(handler),
            start=reading.start,
            order=reading.order,
            batch_size=reading.batch_size,
            max_attempts=reading.max_attempts,
            session_seconds=reading.session_seconds,
            dead_letter_topic=reading.dead_letter_topic,
            acceptable_latency_seconds=scaling.acceptable_latency_seconds,
            processing_seconds=scaling.processing_seconds,
            min_tasks=scaling.min,
            max_tasks=scaling.max,
            spot=settings.capacity.spot,
            on_demand_base=settings.capacity.on_demand_base,
            idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
            encryption_key=shared.encryption_key,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
            lag_seconds=settings.alarms.lag_seconds,
            lag_records=settings.alarms.lag_records,
        ),
    )
