"""The latest value of a CloudWatch metric."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["latest_maximum"]

_MINUTES = 10
"""CloudWatch's metrics of streams are per minute, and late by one or two."""


def latest_maximum(aws: Aws, namespace: str, metric: str, dimensions: Mapping[str, str]) -> float | None:
    """The newest Maximum of the last ten minutes; None when there is none."""
    now = datetime.now(UTC)
    points = aws.cloudwatch().get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=_MINUTES),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(points, key=lambda point: point["Timestamp"])["Maximum"] if points else None
