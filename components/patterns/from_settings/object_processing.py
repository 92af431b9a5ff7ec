"""Settings of an `object-processing` → `ObjectProcessing`."""

from __future__ import annotations

from components.config.object_processing import ObjectProcessingSettings
from components.patterns.from_settings.handler import handler_values
from components.patterns.object_processing import Burst, ObjectProcessing, ObjectProcessingArgs
from components.shared import Shared

__all__ = ["build_object_processing"]


def build_object_processing(name: str, settings: ObjectProcessingSettings, shared: Shared) -> ObjectProcessing:
    handler, buffer = settings.handler, settings.buffer
    return ObjectProcessing(
        name,
        ObjectProcessingArgs(
            **handler_values(name, handler, shared),
            bucket_name=settings.objects.bucket,
            prefix=settings.objects.prefix,
            suffix=settings.objects.suffix,
            burst=Burst(settings.burst),
            max_running_tasks=buffer.max_running_tasks,
            launches_per_second=buffer.launches_per_second,
            processing_seconds=settings.processing_seconds,
            max_receive_count=buffer.max_receive_count,
            spot=settings.spot,
            idempotency_expires_hours=settings.idempotency.expires_hours if settings.idempotency.enabled else None,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            encryption_key=shared.encryption_key,
            oldest_message_seconds=buffer.oldest_message_seconds,
            description=settings.description,
        ),
    )
