"""Reading and writing the metrics of the current scope, period by period.

Periods are given in emulated seconds, as clients give them; in the store a period lasts ``period / speedup`` real
seconds. All windows end at the same moment, the end of the last complete emulated minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ministack.services import cloudwatch

from ops.local.server.metric_math import Series

__all__ = ["SEAMS", "MetricName", "Window", "dimensions_of", "publish", "read"]

SEAMS = (
    "services.cloudwatch._metric_bucket",
    "services.cloudwatch._metrics",
    "services.cloudwatch._dims_key",
    "services.cloudwatch._calc_stats",
    "services.cloudwatch._stat_value",
)

_KEPT_POINTS = 2000
"""Per metric that AWS publishes: a day of emulated minutes and more."""


class MetricName(NamedTuple):
    """What tells a metric from another: the dimensions are part of its identity."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


class Window(NamedTuple):
    """A number of periods that end at `end` (epoch seconds); `period_seconds` is real time."""

    end: float
    period_seconds: float
    periods: int

    @property
    def timestamps(self) -> list[float]:
        """The starts of its periods, ascending."""
        return [self.end - self.period_seconds * number for number in range(self.periods, 0, -1)]

    @property
    def start(self) -> float:
        """Where it begins."""
        return self.end - self.period_seconds * self.periods


def dimensions_of(dimensions: Sequence[Mapping[str, str]] | None) -> tuple[tuple[str, str], ...]:
    """The API's list of Name and Value, as the key of a metric."""
    return tuple(sorted((item["Name"], item["Value"]) for item in dimensions or ()))


def publish(metric: MetricName, at: float, *values: float, unit: str = "Count") -> None:
    """Record samples with the timestamp `at` (epoch seconds); call it on the event loop."""
    dimensions = dict(metric.dimensions)
    points = cloudwatch._metric_bucket((metric.namespace, metric.name, cloudwatch._dims_key(dimensions)))
    points += [
        {"Timestamp": at, "Value": float(value), "Unit": unit, "Dimensions": dict(dimensions)} for value in values
    ]
    if len(points) > 2 * _KEPT_POINTS:
        del points[:-_KEPT_POINTS]


def read(metric: MetricName, statistic: str, window: Window) -> Series:
    """The statistic of each period of the window that has data."""
    key = (metric.namespace, metric.name, cloudwatch._dims_key(dict(metric.dimensions)))
    by_period: dict[int, list[dict[str, Any]]] = {}
    for point in reversed(cloudwatch._metrics.get(key) or []):
        offset = point["Timestamp"] - window.start
        if 0 <= offset < window.period_seconds * window.periods:
            by_period.setdefault(int(offset // window.period_seconds), []).append(point)
    series: Series = {}
    starts = window.timestamps
    for number in sorted(by_period):
        value = cloudwatch._stat_value(cloudwatch._calc_stats(by_period[number]), statistic, by_period[number])
        if value is not None and number < len(starts):
            series[starts[number]] = float(value)
    return series
