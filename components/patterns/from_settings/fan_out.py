"""Settings of a `fan-out` → `FanOut`."""

from __future__ import annotations

import dataclasses

from components.config.fan_out import FanOutSettings, FanOutWorkerSettings, FilterSettings
from components.patterns.fan_out import FanOut, FanOutArgs, FanOutWorker, Via
from components.patterns.from_settings.queue_worker import queue_worker_args
from components.routers.subscriptions import Filter
from components.routers.topic import TopicArgs
from components.shared import Shared
from contracts.filter_policy import FilterScope

__all__ = ["build_fan_out"]


def build_fan_out(name: str, settings: FanOutSettings, shared: Shared) -> FanOut:
    topic = settings.topic
    return FanOut(
        name,
        FanOutArgs(
            bus=shared.bus,
            event_pattern=settings.events,
            via=Via(settings.via),
            topic=TopicArgs(
                fifo=topic.fifo,
                content_based_deduplication=topic.content_based_deduplication,
                high_throughput=topic.high_throughput,
                encryption_key=shared.encryption_key,
            ),
            workers={worker: _worker(name, worker, spec, shared) for worker, spec in settings.workers.items()},
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic_arn,
            description=settings.description,
        ),
        shared.pattern_opts,
    )


def _worker(name: str, worker: str, settings: FanOutWorkerSettings, shared: Shared) -> FanOutWorker:
    args = queue_worker_args(
        f"{name}-{worker}",
        settings.handler,
        settings.queue,
        settings.scaling,
        settings.capacity,
        settings.idempotency,
        shared,
    )
    return FanOutWorker(
        worker=dataclasses.replace(args, oldest_message_seconds=settings.alarms.oldest_message_seconds),
        filter=_filter(settings.filter) if settings.filter else None,
    )


def _filter(settings: FilterSettings) -> Filter:
    if settings.body is not None:
        return Filter(policy=settings.body, scope=FilterScope.BODY)
    return Filter(policy=settings.attributes or {}, scope=FilterScope.ATTRIBUTES)
