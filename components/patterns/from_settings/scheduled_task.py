"""Settings of a `scheduled-task` → `ScheduledTask`."""

from __future__ import annotations

from components.config.scheduled_task import ScheduledTaskSettings
from components.patterns.from_settings.handler import container_from, permissions_from
from components.patterns.scheduled_task import Overlap, ScheduledTask, ScheduledTaskArgs
from components.shared import Shared

__all__ = ["build_scheduled_task"]


def build_scheduled_task(name: str, settings: ScheduledTaskSettings, shared: Shared) -> ScheduledTask:
    handler, schedule = settings.handler, settings.schedule
    return ScheduledTask(
        name,
        ScheduledTaskArgs(
            network=shared.network,
            cluster=shared.cluster,
            container=container_from(name, handler),
            expression=schedule.expression,
            time_zone=schedule.time_zone,
            flexible_window_minutes=schedule.flexible_window_minutes,
            data=settings.data,
            enabled=schedule.enabled,
            function=handler.function,
            overlap=Overlap(settings.overlap),
            maximum_retry_attempts=settings.start.maximum_retry_attempts,
            maximum_event_age_seconds=settings.start.maximum_event_age_seconds,
            cpu=handler.cpu,
            memory_mib=handler.memory_mib,
            architecture=handler.architecture,
            log_retention_days=handler.log_retention_days,
            log_level=handler.log_level,
            spot=settings.spot,
            statements=permissions_from(handler),
            encryption_key=shared.encryption_key,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic.arn if shared.alarm_topic else None,
            description=settings.description,
        ),
    )
