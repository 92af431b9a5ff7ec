"""What CloudWatch knows about a queue on a broker, as expressions for alarms and for target tracking.

Published once a minute, free (Amazon MQ developer guide, "Available CloudWatch metrics"). An active and a standby
ActiveMQ broker have a metric each, and only the active one's counts; there FILL stands for the other one's silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.compute.scaling_metrics import Metric
from components.stores.broker import Broker
from contracts.brokers import ENGINES, METRICS_NAMESPACE, VIRTUAL_HOST, BrokerEngine

__all__ = ["QueueMetric", "backlog", "consumers"]


@dataclass(frozen=True, kw_only=True)
class QueueMetric:
    """An expression over one or more metrics."""

    expression: str
    metrics: Sequence[Metric]


def backlog(broker: Broker, queue: str) -> QueueMetric:
    """Messages that are not acknowledged: waiting, or in a worker's hand."""
    return _queue_metric("backlog", ENGINES[broker.engine].depth_metric, broker, queue)


def consumers(broker: Broker, queue: str) -> QueueMetric:
    """Workers that are connected and consume."""
    return _queue_metric("consumers", "ConsumerCount", broker, queue)


def _queue_metric(identifier: str, name: str, broker: Broker, queue: str) -> QueueMetric:
    shared = {"Queue": queue}
    if broker.engine is BrokerEngine.RABBITMQ:
        shared["VirtualHost"] = VIRTUAL_HOST
    several = len(broker.metric_names) > 1
    metrics = [
        Metric(
            id=f"{identifier}_{number}" if several else identifier,
            namespace=METRICS_NAMESPACE,
            name=name,
            stat="Maximum",
            dimensions={"Broker": broker_name, **shared},
        )
        for number, broker_name in enumerate(broker.metric_names, 1)
    ]
    parts = ", ".join(f"FILL({metric.id}, 0)" if several else metric.id for metric in metrics)
    return QueueMetric(expression=f"MAX([{parts}])", metrics=metrics)
