"""Amazon CloudWatch alarms and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_dashboard", "create_metric_alarm"]

# Same word in the provider and in PutMetricAlarm.
_SAME = (
    "actionsEnabled",
    "alarmActions",
    "alarmDescription",
    "comparisonOperator",
    "datapointsToAlarm",
    "evaluationPeriods",
    "extendedStatistic",
    "insufficientDataActions",
    "metricName",
    "namespace",
    "okActions",
    "period",
    "statistic",
    "threshold",
    "thresholdMetricId",
    "treatMissingData",
    "unit",
)


@creates(
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "dimensions",
    "evaluateLowSampleCountPercentiles",
    "metricQueries",
    "name",
    *_SAME,
)
def create_metric_alarm(request: Request) -> Created:
    name = request.physical_name()
    request.call(
        "cloudwatch",
        "put_metric_alarm",
        AlarmName=name,
        Dimensions=_dimensions(request.get("dimensions")),
        Metrics=[_query(query) for query in request.get("metricQueries", [])] or None,
        **request.pick(*_SAME, evaluateLowSampleCountPercentile="evaluateLowSampleCountPercentiles"),
    )
    account = request.context.clients.account
    return Created(name, {"name": name, "arn": f"arn:aws:cloudwatch:{request.region}:{account}:alarm:{name}"})


@creates("aws:cloudwatch/dashboard:Dashboard", "dashboardBody", "dashboardName")
def create_dashboard(request: Request) -> Created:
    name = request.get("dashboardName")
    request.call("cloudwatch", "put_dashboard", DashboardName=name, DashboardBody=request.get("dashboardBody"))
    arn = f"arn:aws:cloudwatch::{request.context.clients.account}:dashboard/{name}"
    return Created(name, {"dashboardName": name, "dashboardArn": arn})


def _dimensions(dimensions: Mapping[str, str] | None) -> list[dict[str, str]] | None:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()] if dimensions else None


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    """One MetricDataQuery: the provider keeps MetricStat's members and the metric's in one object."""
    metric = query.get("metric")
    rest = {key: value for key, value in query.items() if key != "metric"}
    if metric is None:
        return rest
    known = {"metricName", "namespace", "dimensions"}
    statistic = {key: value for key, value in metric.items() if key not in known}
    return rest | {
        "metricStat": statistic
        | {
            "metric": {
                "metricName": metric.get("metricName"),
                "namespace": metric.get("namespace"),
                "dimensions": _dimensions(metric.get("dimensions")),
            }
        }
    }
