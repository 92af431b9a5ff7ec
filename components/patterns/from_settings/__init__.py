"""Settings → pattern: the only place where the two vocabularies meet, one module for each pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pulumi

from components.config.activity_pool import ActivityPoolSettings
from components.config.airflow import AirflowSettings
from components.config.api import ApiSettings
from components.config.api_push import ApiPushSettings
from components.config.base import PatternSettings
from components.config.broker_worker import BrokerWorkerSettings
from components.config.fan_out import FanOutSettings
from components.config.job import JobSettings
from components.config.kafka_worker import KafkaWorkerSettings
from components.config.object_processing import ObjectProcessingSettings
from components.config.queue_worker import QueueWorkerSettings
from components.config.scheduled_task import ScheduledTaskSettings
from components.config.stream_worker import StreamWorkerSettings
from components.config.workflow import WorkflowSettings
from components.core.errors import ComponentError
from components.patterns.from_settings.activity_pool import build_activity_pool
from components.patterns.from_settings.airflow import build_airflow
from components.patterns.from_settings.api import build_api
from components.patterns.from_settings.api_push import build_api_push
from components.patterns.from_settings.broker_worker import build_broker_worker
from components.patterns.from_settings.fan_out import build_fan_out
from components.patterns.from_settings.job import build_job
from components.patterns.from_settings.kafka_worker import build_kafka_worker
from components.patterns.from_settings.object_processing import build_object_processing
from components.patterns.from_settings.queue_worker import build_queue_worker
from components.patterns.from_settings.scheduled_task import build_scheduled_task
from components.patterns.from_settings.stream_worker import build_stream_worker
from components.patterns.from_settings.workflow import build_workflow
from components.shared import Shared

__all__ = ["Pattern", "build", "manifests"]


class Pattern(Protocol):
    """What every pattern can do."""

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know about it, as JSON text."""
        ...


_BUILDERS: Mapping[type[PatternSettings], Callable[[str, Any, Shared], Pattern]] = {
    BrokerWorkerSettings: build_broker_worker,
    QueueWorkerSettings: build_queue_worker,
    FanOutSettings: build_fan_out,
    StreamWorkerSettings: build_stream_worker,
    ObjectProcessingSettings: build_object_processing,
    ScheduledTaskSettings: build_scheduled_task,
    KafkaWorkerSettings: build_kafka_worker,
    ApiSettings: build_api,
    ApiPushSettings: build_api_push,
    WorkflowSettings: build_workflow,
    JobSettings: build_job,
    AirflowSettings: build_airflow,
    ActivityPoolSettings: build_activity_pool,
}


def build(name: str, settings: PatternSettings, shared: Shared) -> Pattern:
    """Create the pattern that the settings describe."""
    return _BUILDERS[type(settings)](name, settings, shared)


def manifests(patterns: Mapping[str, Pattern]) -> dict[str, pulumi.Output[str]]:
    """A document for each pattern, and one for each worker that a pattern is made of.

    Raises:
        ComponentError: a pattern has the name of another one's worker.
    """
    found: dict[str, pulumi.Output[str]] = {}
    for name, pattern in patterns.items():
        for inner, part in {name: pattern, **getattr(pattern, "workers", {})}.items():
            if inner in found:
                raise ComponentError(f"two patterns or workers are named {inner!r}; rename one")
            found[inner] = part.manifest()
    return found
