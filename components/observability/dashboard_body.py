"""The body of a CloudWatch dashboard: for each pattern the figures that `ops status` shows, over time.

Made from the manifests, as `ops status` is: what the one shows, the other does. Pure, and the same text for the same
manifests, so that a deploy that changes nothing changes no dashboard.

Desired tasks have a metric only with Container Insights (``cluster.container_insights``); without it the graph shows
the running tasks between the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from components.core.errors import ComponentError
from contracts import metrics
from contracts.brokers import ENGINES, METRICS_NAMESPACE, BrokerEngine, depth_dimensions
from contracts.manifest import BrokerRef, KafkaRef, PatternManifest, QueueRef, ScalingRef, ServiceRef, StreamRef

__all__ = ["MAX_METRICS", "MAX_WIDGETS", "dashboard_body"]

MAX_WIDGETS = 500
MAX_METRICS = 2_500
"""CloudWatch quotas: "Dashboards": widgets of a dashboard, and metrics of all its widgets."""
_ALARMS_OF_A_WIDGET = 100
"""Dashboard body structure and syntax, alarm widget."""
_ROW, _ACROSS = 24, 6
"""A dashboard is 24 units wide; four graphs are a row."""
_GRAPH_HEIGHT = 6

MetricLine = list[Any]
"""Namespace, name, dimensions and their values, rendering."""


def dashboard_body(
    patterns: Sequence[PatternManifest], *, alarm_prefix: str, container_insights: bool = False
) -> dict[str, Any]:
    """One section for each pattern that has anything to show, in the given order.

    Args:
        alarm_prefix: of the ARNs of alarms, ``arn:aws:cloudwatch:<region>:<account>:alarm:``.
        container_insights: whether the cluster publishes its number of desired tasks.

    Raises:
        ComponentError: more widgets or metrics than a dashboard may have.
    """
    widgets: list[dict[str, Any]] = []
    top = 0
    for pattern in patterns:
        section = _section(pattern, alarm_prefix, container_insights)
        if not section:
            continue
        widgets.append(_placed(_header(pattern), top, 0, _ROW, 1))
        top += 1
        graphs = [widget for widget in section if widget["type"] == "metric"]
        for number, graph in enumerate(graphs):
            row, column = divmod(number, _ROW // _ACROSS)
            widgets.append(_placed(graph, top + row * _GRAPH_HEIGHT, column * _ACROSS, _ACROSS, _GRAPH_HEIGHT))
        top += -(-len(graphs) // (_ROW // _ACROSS)) * _GRAPH_HEIGHT
        for widget in section:
            if widget["type"] == "alarm":
                height = 1 + -(-len(widget["properties"]["alarms"]) // 4)
                widgets.append(_placed(widget, top, 0, _ROW, height))
                top += height
    _check_size(widgets)
    return {"widgets": widgets}


def _check_size(widgets: Sequence[Mapping[str, Any]]) -> None:
    lines = sum(len(widget["properties"].get("metrics", ())) for widget in widgets)
    if len(widgets) > MAX_WIDGETS or lines > MAX_METRICS:
        raise ComponentError(
            f"dashboard: {len(widgets):,} widgets with {lines:,} metrics; CloudWatch allows {MAX_WIDGETS:,} and "
            f"{MAX_METRICS:,}. Set dashboard.per to pattern, or dashboard.enabled to false"
        )


def _placed(widget: Mapping[str, Any], y: int, x: int, width: int, height: int) -> dict[str, Any]:
    return {"type": widget["type"], "x": x, "y": y, "width": width, "height": height} | {
        "properties": widget["properties"]
    }


def _header(pattern: PatternManifest) -> dict[str, Any]:
    command = f"ops --stack {pattern.stack} status {pattern.name}"
    markdown = f"**{pattern.name}** · {pattern.pattern} · `{command}`"
    return {"type": "text", "properties": {"markdown": markdown, "background": "transparent"}}


def _section(pattern: PatternManifest, alarm_prefix: str, container_insights: bool) -> list[dict[str, Any]]:
    graphs: list[dict[str, Any]] = []
    latency = pattern.scaling.acceptable_latency_seconds if pattern.scaling else None

    def graph(title: str, lines: list[MetricLine], limits: Mapping[str, float | None] | None = None) -> None:
        properties: dict[str, Any] = {
            "title": title,
            "region": pattern.region,
            "view": "timeSeries",
            "stat": "Maximum",
            "period": 60,
            "metrics": lines,
            "yAxis": {"left": {"min": 0}},
        }
        shown = [{"label": label, "value": value} for label, value in (limits or {}).items() if value is not None]
        if shown:
            properties["annotations"] = {"horizontal": shown}
        graphs.append({"type": "metric", "properties": properties})

    if queue := pattern.queue:
        graph("Messages", _depth(queue))
        graph("Oldest message, seconds", _age(queue), {"acceptable": latency})
    if broker := pattern.broker:
        graph("Messages", _broker(broker, broker.queue))
    if stream := pattern.stream:
        graph("Behind the stream, milliseconds", _stream(pattern, stream), {"acceptable": latency and latency * 1000})
    if kafka := pattern.kafka:
        graph("Lag, records", [_kafka(kafka, "SumOffsetLag")])
        graph("Lag, seconds", [_kafka(kafka, "EstimatedMaxTimeLag")], {"acceptable": latency})
    if service := pattern.service:
        graph("Tasks", _tasks(service, container_insights), _bounds(pattern.scaling))
    letters = [
        _sqs(queue.name, "ApproximateNumberOfMessagesVisible", queue.name) for queue in pattern.dead_letter_queues
    ]
    if broker := pattern.broker:
        letters += _broker(broker, broker.dead_letter_queue)
    if letters:
        graph("Dead letters", letters)
    alarms = [f"{alarm_prefix}{name}" for name in pattern.alarms]
    for start in range(0, len(alarms), _ALARMS_OF_A_WIDGET):
        properties = {"title": "Alarms", "alarms": alarms[start : start + _ALARMS_OF_A_WIDGET]}
        graphs.append({"type": "alarm", "properties": properties})
    return graphs


def _sqs(queue: str, metric: str, label: str) -> MetricLine:
    return ["AWS/SQS", metric, "QueueName", queue, {"label": label}]


def _depth(queue: QueueRef) -> list[MetricLine]:
    return [
        _sqs(queue.name, "ApproximateNumberOfMessagesVisible", "visible"),
        _sqs(queue.name, "ApproximateNumberOfMessagesNotVisible", "in flight"),
    ]


def _age(queue: QueueRef) -> list[MetricLine]:
    return [_sqs(queue.name, "ApproximateAgeOfOldestMessage", "age")]


def _tasks(service: ServiceRef, container_insights: bool) -> list[MetricLine]:
    names = ["ClusterName", service.cluster, "ServiceName", service.name]
    # Each task sends one CPU sample a minute: counting samples counts tasks.
    lines: list[MetricLine] = [["AWS/ECS", "CPUUtilization", *names, {"label": "running", "stat": "SampleCount"}]]
    if container_insights:
        lines.append(["ECS/ContainerInsights", "DesiredTaskCount", *names, {"label": "desired"}])
    return lines


def _bounds(scaling: ScalingRef | None) -> dict[str, float | None]:
    return {"min": scaling.min, "max": scaling.max} if scaling else {}


def _stream(pattern: PatternManifest, stream: StreamRef) -> list[MetricLine]:
    worker = [metrics.NAMESPACE, metrics.LAG_MILLISECONDS, metrics.PATTERN, pattern.name, metrics.STACK, pattern.stack]
    lines: list[MetricLine] = [[*worker, {"label": "handled"}]]
    name = "GetRecords.IteratorAgeMilliseconds"
    lines.append(["AWS/Kinesis", name, "StreamName", stream.name, {"label": "iterator age"}])
    if stream.consumer_arn:
        # arn:…:stream/<stream>/consumer/<consumer>:<creation time>
        consumer = stream.consumer_arn.rpartition("/")[2].partition(":")[0]
        dimensions = ["ConsumerName", consumer, "StreamName", stream.name]
        lines.append(
            ["AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest", *dimensions, {"label": "enhanced fan-out"}]
        )
    return lines


def _kafka(kafka: KafkaRef, metric: str) -> MetricLine:
    dimensions = ["Cluster Name", kafka.cluster, "Consumer Group", kafka.group, "Topic", kafka.topic]
    return ["AWS/Kafka", metric, *dimensions, {"label": kafka.group}]


def _broker(broker: BrokerRef, queue: str) -> list[MetricLine]:
    engine = BrokerEngine(broker.engine)
    instances = depth_dimensions(engine, broker.name, len(broker.urls), queue)
    return [
        [
            METRICS_NAMESPACE,
            ENGINES[engine].depth_metric,
            *chain.from_iterable(dimensions.items()),
            {"label": queue if engine is BrokerEngine.RABBITMQ else f"{queue} {number}"},
        ]
        for number, dimensions in enumerate(instances, 1)
    ]
