"""Metric math."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local.server.metric_math import MathError, Series, Value, evaluate

TIMES = [0.0, 60.0, 120.0]
M1: Series = {0.0: 10.0, 60.0: 20.0, 120.0: 30.0}
GAP: Series = {0.0: 2.0, 120.0: 4.0}
ZERO: Series = {0.0: 0.0, 60.0: 5.0}


def _value(expression: str, **variables: Value) -> Value:
    return evaluate(expression, {"m1": M1, "gap": GAP, "zero": ZERO, "empty": {}, **variables}, TIMES)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("-m1", {0.0: -10.0, 60.0: -20.0, 120.0: -30.0}),
        ("2 ^ 3", 8.0),
        ("m1 + 1", {0.0: 11.0, 60.0: 21.0, 120.0: 31.0}),
        ("m1 / gap", {0.0: 5.0, 120.0: 7.5}),
        ("m1 / zero", {60.0: 4.0}),
        ("1 / 0", {}),
        ("m1 > 15", {0.0: 0.0, 60.0: 1.0, 120.0: 1.0}),
        ("m1 > 15 AND m1 < 25", {0.0: 0.0, 60.0: 1.0, 120.0: 0.0}),
        ("m1 < 15 || m1 > 25", {0.0: 1.0, 60.0: 0.0, 120.0: 1.0}),
        ("m1 != 20 && 1", {0.0: 1.0, 60.0: 0.0, 120.0: 1.0}),
        ("FILL(gap, 0)", {0.0: 2.0, 60.0: 0.0, 120.0: 4.0}),
        ("FILL(gap, REPEAT)", {0.0: 2.0, 60.0: 2.0, 120.0: 4.0}),
        ("FILL(gap, LINEAR)", {0.0: 2.0, 60.0: 3.0, 120.0: 4.0}),
        ("FILL(empty, 7)", {0.0: 7.0, 60.0: 7.0, 120.0: 7.0}),
        ("FILL(zero, REPEAT)", {0.0: 0.0, 60.0: 5.0, 120.0: 5.0}),
        ("FILL(gap, m1)", {0.0: 2.0, 60.0: 20.0, 120.0: 4.0}),
        ("IF(m1 > 15, 1, 0)", {0.0: 0.0, 60.0: 1.0, 120.0: 1.0}),
        ("IF(gap > 0, m1, 0)", {0.0: 10.0, 120.0: 30.0}),
        ("IF(1, 5, m1)", 5.0),
        ("SUM([m1, gap])", {0.0: 12.0, 60.0: 20.0, 120.0: 34.0}),
        ("MAX([m1, gap, 25])", {0.0: 25.0, 60.0: 25.0, 120.0: 30.0}),
        ("MIN([m1, gap])", {0.0: 2.0, 60.0: 20.0, 120.0: 4.0}),
        ("AVG(m1)", 20.0),
        ("MAX(m1)", 30.0),
        ("SUM(empty)", {}),
        ("MAX([1, 2])", 2.0),
        ("CEIL(m1 / 7)", {0.0: 2.0, 60.0: 3.0, 120.0: 5.0}),
        ("FLOOR(2.9)", 2.0),
        ("ABS(0 - 3)", 3.0),
        ('SUM(METRICS("m"))', {0.0: 10.0, 60.0: 20.0, 120.0: 30.0}),
        ("ceil(1.5)", 2.0),
    ],
)
def test_expressions(expression: str, expected: Value) -> None:
    assert _value(expression) == expected


def test_the_backlog_per_task_at_zero_tasks_is_the_backlog() -> None:
    tasks: Series = {120.0: 3.0}
    value = _value("IF(FILL(tasks, 0) > 0, m1 / tasks, m1)", tasks=tasks)
    assert value == {0.0: 10.0, 60.0: 20.0, 120.0: 10.0}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("m9 + 1", "'m9' is no id of another query; there are: empty, gap, m1, zero"),
        ("RATE(m1)", "the function RATE is unknown; allowed: ABS, AVG, CEIL, FILL, FLOOR, IF, MAX, METRICS, MIN, SUM"),
        ("MAX(m1, 2)", "MAX has 2 arguments; allowed: one"),
        ("IF(m1, 1)", "IF has 2 arguments"),
        ("FILL(m1)", "FILL has 1 arguments"),
        ("m1 +", "cannot be read"),
        ("m1 % 2", "is not supported"),
        ("__import__('os')", "the function __IMPORT__ is unknown"),
        ("m1.real", "is not supported"),
        ("1 < m1 < 3", "is not supported"),
        ('"a" + 1', "a text is no number"),
    ],
)
def test_what_is_wrong_is_said(expression: str, message: str) -> None:
    with pytest.raises(MathError) as wrong:
        _value(expression)
    assert message in str(wrong.value)
    assert expression in str(wrong.value)


numbers = st.floats(-1e6, 1e6).map(float)
series = st.dictionaries(st.sampled_from(TIMES), numbers)


@given(a=series, b=series)
def test_sum_over_series_counts_what_is_there(a: Series, b: Series) -> None:
    total = evaluate("SUM([a, b])", {"a": a, "b": b}, TIMES)
    assert total == {t: math.fsum(s[t] for s in (a, b) if t in s) for t in sorted({*a, *b})}


@given(a=series, number=numbers)
def test_fill_leaves_no_gap_and_changes_nothing_else(a: Series, number: float) -> None:
    filled = evaluate("FILL(a, n)", {"a": a, "n": number}, TIMES)
    assert filled == {t: a.get(t, number) for t in TIMES}
