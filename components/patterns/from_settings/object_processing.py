"""Settings of an `object-processing` → `ObjectProcessing`."""

from __future__ import annotations

from components.config.object_processing import ObjectProcessingSettings
from components.patterns.from_settings.handler import container_from, permissions_from
from components.patterns.object_processing import Burst, ObjectProcessing, ObjectProcessingArgs
from components.shared import Shared

__all__ = ["build_object_processing"]


def build_object_processing(name: str, settings: ObjectProcessingSettings, shared: Shared) -> ObjectProcessing:
    handler, buffer = settings.handler, settings.buffer
    return ObjectProcessing(
        name,
        ObjectProcessingArgs(
            network=shared.network,
            cluster=shared.cluster,
            container=container_from(name, handler),
            function=handler.function,
            bucket_name=settings.objects.bucket,
            prefix=settings.objects.prefix,
            suffix=settings.objects.suffix,
            burst=Burst(settings.burst),
            max_running_tasks=buffer.max_running_tasks,
            launches_per_second=buffer.launches_per_second,
            processing_seconds=settings.processing_seconds,
            max_receive_count=buffer.max_receive_count,
            cpu=handler.cpu,
            memory_mib=handler.memory_mib,
            architecture=handler.architecture,
            log_retention_days=handler.log_retention_days,
            log_level=handler.log_level,
            spot=settings.spot,
            statements=permissions_from(handler),
            idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            encryption_key=shared.encryption_key,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
            oldest_message_seconds=buffer.oldest_message_seconds,
            description=settings.description,
        ),
    )
