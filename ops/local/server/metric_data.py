"""Gap: expressions in GetMetricData, and periods in emulated time."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from ministack.services import cloudwatch

from ops.local.server import metric_store
from ops.local.server.metric_math import MathError, Series
from ops.local.server.metric_queries import as_series, evaluate_queries
from ops.local.server.metric_store import MetricName, Window, dimensions_of, read
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (
    *metric_store.SEAMS,
    "services.cloudwatch._get_metric_data",
    "services.cloudwatch._cbor_metric_data_result",
    "services.cloudwatch._cbor_ok",
    "services.cloudwatch._json_ok",
    "services.cloudwatch._error",
    "services.cloudwatch._parse_ts",
    "services.cloudwatch._ts_iso",
)

_MAX_PERIODS = 20_000


def _period_of(queries: list[dict[str, Any]]) -> float:
    """The period of the request in emulated seconds: the longest that a query names; default 60."""
    given = [query.get("Period") or (query.get("MetricStat") or {}).get("Period") for query in queries]
    return float(max([period for period in given if period], default=60))


def _result(query: Mapping[str, Any], series: Series, *, newest_first: bool) -> dict[str, Any]:
    times = sorted(series, reverse=newest_first)
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or query["Id"],
        "Timestamps": [cloudwatch._ts_iso(at) for at in times],
        "Values": [series[at] for at in times],
        "StatusCode": "Complete",
    }


def install(settings: ServerSettings) -> None:
    """Answer GetMetricData."""
    get_metric_data = cloudwatch._get_metric_data

    def answer(params: Any, document: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        if not (is_cbor or is_json):
            return get_metric_data(params, document, is_cbor, is_json)
        queries: list[dict[str, Any]] = document.get("MetricDataQueries", [])
        period = settings.real_seconds(_period_of(queries))
        begin = cloudwatch._parse_ts(document.get("StartTime")) or time.time() - 3600
        end = cloudwatch._parse_ts(document.get("EndTime")) or time.time()
        first, last = math.floor(begin / period), math.ceil(end / period)
        window = Window(last * period, period, max(0, min(_MAX_PERIODS, last - first)))

        def read_metric(metric_stat: Mapping[str, Any]) -> Series:
            metric = metric_stat["Metric"]
            name = MetricName(metric["Namespace"], metric["MetricName"], dimensions_of(metric.get("Dimensions")))
            return read(name, metric_stat.get("Stat", "Average"), window)

        newest_first = document.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        timestamps = window.timestamps
        try:
            values = evaluate_queries(queries, read_metric, timestamps)
            results = [
                _result(query, as_series(values[query["Id"]], timestamps), newest_first=newest_first)
                for query in queries
                if query.get("ReturnData", True)
            ]
        except MathError as error:
            return cloudwatch._error("ValidationError", str(error), 400, use_json=is_json, use_cbor=is_cbor)
        if is_cbor:
            return cloudwatch._cbor_ok(
                {"MetricDataResults": [cloudwatch._cbor_metric_data_result(result) for result in results]}
            )
        return cloudwatch._json_ok({"MetricDataResults": results})

    cloudwatch._get_metric_data = answer
