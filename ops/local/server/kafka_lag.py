"""Gap: MSK's consumer lag, once per minute, for the groups that an alarm watches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ministack.services import cloudwatch, msk

from ops.local.server import kafka_brokers, metric_store
from ops.local.server.background import log_once
from ops.local.server.event_loop import run_on_loop
from ops.local.server.kafka_brokers import Lag
from ops.local.server.metric_store import MetricName, dimensions_of, publish
from ops.local.server.minute import MINUTE_SECONDS, each_minute
from ops.local.server.scopes import Scope, in_scope, records
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (*metric_store.SEAMS, "services.cloudwatch._alarms", "services.msk._clusters")

NAMESPACE = "AWS/Kafka"

Dimensions = tuple[tuple[str, str], ...]


def install(settings: ServerSettings) -> None:
    """Publish metrics at the end of each emulated minute."""
    minute_seconds = settings.real_seconds(MINUTE_SECONDS)

    def publish_minute(boundary: float) -> None:
        at = boundary - minute_seconds / 2  # inside the minute that has just ended
        measured: list[tuple[Scope, Dimensions, Lag]] = []
        for scope, dimensions in run_on_loop(_watched):
            with log_once("lag of a consumer group"), in_scope(scope):
                known = dict(dimensions)
                lag = kafka_brokers.lag_of(known["Cluster Name"], known["Consumer Group"], known["Topic"])
                if lag is not None:
                    measured.append((scope, dimensions, lag))

        def write() -> None:
            for scope, dimensions, lag in measured:
                with in_scope(scope):
                    publish(MetricName(NAMESPACE, "SumOffsetLag", dimensions), at, lag.total)
                    publish(MetricName(NAMESPACE, "MaxOffsetLag", dimensions), at, lag.largest)

        run_on_loop(write)

    each_minute("kafka-lag", publish_minute)


def _watched() -> set[tuple[Scope, Dimensions]]:
    """The groups that alarms name, of clusters that are there. (The broker cannot list its groups.)"""
    clusters = {(scope, cluster["ClusterName"]) for scope, _, cluster in records(msk._clusters)}
    found = set()
    for scope, _, alarm in records(cloudwatch._alarms):
        for namespace, dimensions in _metrics_of(alarm):
            known = dict(dimensions)
            complete = {"Cluster Name", "Consumer Group", "Topic"} == known.keys()
            if namespace == NAMESPACE and complete and (scope, known["Cluster Name"]) in clusters:
                found.add((scope, dimensions))
    return found


def _metrics_of(alarm: dict[str, Any]) -> Iterator[tuple[str, Dimensions]]:
    if alarm.get("Namespace"):
        yield alarm["Namespace"], dimensions_of(alarm.get("Dimensions"))
    for query in alarm.get("Metrics") or ():
        metric = (query.get("MetricStat") or {}).get("Metric")
        if metric:
            yield metric["Namespace"], dimensions_of(metric.get("Dimensions"))
