"""MetricDataQueries: metrics and expressions that name each other, evaluated over one window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ops.local.server.metric_math import MathError, Series, Value, evaluate

__all__ = ["ReadMetric", "as_series", "evaluate_queries", "returned_query"]

Query = Mapping[str, Any]
ReadMetric = Callable[[Mapping[str, Any]], Series]
"""Reads the series of a ``MetricStat``."""


def evaluate_queries(queries: Sequence[Query], read: ReadMetric, timestamps: Sequence[float]) -> dict[str, Value]:
    """The value of every query by its id. Expressions may name each other in any order.

    Raises
    ------
    MathError
        For an expression that cannot be evaluated, or that needs itself.
    """
    values: dict[str, Value] = {}
    for query in queries:
        if query.get("MetricStat"):
            values[query["Id"]] = read(query["MetricStat"])
    waiting = [query for query in queries if query.get("Expression")]
    while waiting:
        left: list[Query] = []
        problem: MathError | None = None
        for query in waiting:
            try:
                values[query["Id"]] = evaluate(query["Expression"], values, timestamps)
            except MathError as error:
                problem = problem or error
                left.append(query)
        if problem and len(left) == len(waiting):
            raise problem
        waiting = left
    return values


def returned_query(queries: Sequence[Query]) -> Query:
    """The one query whose data is returned (``ReturnData``, default true). Raises `MathError` unless it is one."""
    returned = [query for query in queries if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise MathError(f"{len(returned)} queries have ReturnData; allowed: exactly one")
    return returned[0]


def as_series(value: Value, timestamps: Sequence[float]) -> Series:
    """A result as a time series: a number is the same at every time."""
    if isinstance(value, dict):
        return value
    if isinstance(value, float):
        return dict.fromkeys(timestamps, value)
    raise MathError(f"the result is a {type(value).__name__}; allowed: a number or one time series")
