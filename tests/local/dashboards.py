"""Reads a deployed dashboard back and looks for every resource that its metrics name."""

from __future__ import annotations

import json
from typing import Any

from tests.local.deployed import Deployed

__all__ = ["assert_everything_shown_is_there", "shown"]

_METRICS = {
    "AWS/SQS": {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
    },
    "AWS/ECS": {"CPUUtilization"},
    "AWS/Kinesis": {"GetRecords.IteratorAgeMilliseconds", "SubscribeToShardEvent.MillisBehindLatest"},
    "EDA/Workers": {"LagMilliseconds"},
}
"""As AWS (and the worker) name them."""


def shown(environment: Deployed) -> list[dict[str, Any]]:
    """The widgets of the one dashboard of the stack."""
    cloudwatch = environment.client("cloudwatch")
    (entry,) = cloudwatch.list_dashboards()["DashboardEntries"]
    assert environment.state.outputs["dashboards"] == [entry["DashboardName"]] == ["eda-local-overview"]
    body = cloudwatch.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"]
    widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
    return widgets


def assert_everything_shown_is_there(environment: Deployed) -> set[str]:
    """Every metric belongs to a queue, service, stream or worker of this environment, every alarm exists.

    Returns the namespaces that were met.
    """
    namespaces = set()
    for widget in shown(environment):
        for namespace, name, *rest in widget["properties"].get("metrics", []):
            assert name in _METRICS[namespace]
            dimensions = dict(zip(rest[:-1:2], rest[1:-1:2], strict=True))
            _find(environment, namespace, dimensions)
            namespaces.add(namespace)
        if widget["type"] == "alarm":
            names = [arn.rpartition(":alarm:")[2] for arn in widget["properties"]["alarms"]]
            found = environment.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
            assert sorted(alarm["AlarmArn"] for alarm in found) == sorted(widget["properties"]["alarms"])
    return namespaces


def _find(environment: Deployed, namespace: str, dimensions: dict[str, str]) -> None:
    """Raises, or fails, where there is no such thing."""
    match namespace:
        case "AWS/SQS":
            (queue,) = dimensions.values()
            environment.client("sqs").get_queue_url(QueueName=queue)
        case "AWS/ECS":
            answer = environment.client("ecs").describe_services(
                cluster=dimensions["ClusterName"], services=[dimensions["ServiceName"]]
            )
            assert [service["serviceName"] for service in answer["services"]] == [dimensions["ServiceName"]]
        case "AWS/Kinesis":
            kinesis = environment.client("kinesis")
            summary = kinesis.describe_stream_summary(StreamName=dimensions["StreamName"])["StreamDescriptionSummary"]
            if consumer := dimensions.get("ConsumerName"):
                kinesis.describe_stream_consumer(StreamARN=summary["StreamARN"], ConsumerName=consumer)
        case "EDA/Workers":
            assert dimensions["Stack"] == "local"
            assert dimensions["Pattern"] in environment.state.outputs["patterns"]
