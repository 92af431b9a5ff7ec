"""Settings of a `scheduled-task` → `ScheduledTask`."""

from __future__ import annotations

from components.config.scheduled_task import ScheduledTaskSettings
from components.patterns.from_settings.handler import handler_values
from components.patterns.scheduled_task import Overlap, ScheduledTask, ScheduledTaskArgs
from components.shared import Shared

__all__ = ["build_scheduled_task"]


def build_scheduled_task(name: str, settings: ScheduledTaskSettings, shared: Shared) -> ScheduledTask:
    handler, schedule = settings.handler, settings.schedule
    return ScheduledTask(
        name,
        ScheduledTaskArgs(
            **handler_values(name, handler, shared),
            expression=schedule.expression,
            time_zone=schedule.time_zone,
            flexible_window_minutes=schedule.flexible_window_minutes,
            data=settings.data,
            enabled=schedule.enabled,
            overlap=Overlap(settings.overlap),
            maximum_retry_attempts=settings.start.maximum_retry_attempts,
            maximum_event_age_seconds=settings.start.maximum_event_age_seconds,
            spot=settings.spot,
            encryption_key=shared.encryption_key,
            description=settings.description,
        ),
    )
