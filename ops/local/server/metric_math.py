"""CloudWatch metric math: the expressions of GetMetricData, alarms and target tracking. No MiniStack in here.

Source: CloudWatch user guide, "Using metric math". A time series maps the start of a period (epoch seconds) to a
value; a period without data is not in it. An operation on two series has a value where both have one; a division by
zero has none.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

__all__ = ["FUNCTIONS", "MathError", "Series", "Value", "evaluate"]

Series: TypeAlias = dict[float, float]
Value: TypeAlias = "float | str | Series | list[Value]"


class MathError(ValueError):
    """The expression is not valid, or uses what is not there. The message names the expression."""


def _divide(left: float, right: float) -> float | None:
    return left / right if right else None


def _power(left: float, right: float) -> float | None:
    try:
        result = left**right
    except (OverflowError, ZeroDivisionError):
        return None
    return result if isinstance(result, int | float) else None


_Binary = Callable[[float, float], "float | None"]

_ARITHMETIC: dict[type[ast.operator], _Binary] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Pow: _power,
}
_COMPARISONS: dict[type[ast.cmpop], _Binary] = {
    ast.Gt: lambda left, right: float(left > right),
    ast.GtE: lambda left, right: float(left >= right),
    ast.Lt: lambda left, right: float(left < right),
    ast.LtE: lambda left, right: float(left <= right),
    ast.Eq: lambda left, right: float(left == right),
    ast.NotEq: lambda left, right: float(left != right),
}
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
}
_ELEMENTWISE: dict[str, Callable[[float], float]] = {"CEIL": math.ceil, "FLOOR": math.floor, "ABS": abs}

FUNCTIONS = tuple(sorted([*_AGGREGATES, *_ELEMENTWISE, "IF", "FILL", "METRICS"]))
"""The functions that are known here."""


def evaluate(expression: str, variables: Mapping[str, Value], timestamps: Sequence[float]) -> Value:
    """The value of `expression`.

    Parameters
    ----------
    expression:
        In CloudWatch's syntax, e.g. ``IF(FILL(m2, 0) > 0, m1 / m2, m1)``.
    variables:
        What the ids of the other queries stand for.
    timestamps:
        The starts of all periods of the time range, ascending: what FILL fills.

    Raises
    ------
    MathError
        For an unknown id, function or operator, with what is allowed.
    """
    return _Evaluator(expression, variables, timestamps).run()


class _Evaluator:
    def __init__(self, expression: str, variables: Mapping[str, Value], timestamps: Sequence[float]) -> None:
        self._expression = expression
        self._variables = variables
        self._timestamps = timestamps

    def run(self) -> Value:
        try:
            tree = ast.parse(_as_python(self._expression), mode="eval")
        except SyntaxError as error:
            raise self._error(f"cannot be read at column {error.offset}") from error
        return self._value(tree.body)

    def _error(self, what: str) -> MathError:
        return MathError(f"metric math {self._expression!r}: {what}")

    def _value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=bool()):
                raise self._error("true and false are unknown; allowed: 1 and 0")
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Constant(value=str() as text):
                return text
            case ast.Name(id=name):
                return self._variable(name)
            case ast.List(elts=items):
                return [self._value(item) for item in items]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._combine(lambda left, right: left * right, self._value(operand), -1.0)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._value(operand)
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
                return self._combine(_ARITHMETIC[type(sign)], self._value(left), self._value(right))
            case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _COMPARISONS:
                return self._combine(_COMPARISONS[type(comparison)], self._value(left), self._value(right))
            case ast.BoolOp(op=kind, values=operands):
                both = isinstance(kind, ast.And)
                result = self._value(operands[0])
                for operand in operands[1:]:
                    result = self._combine(_and if both else _or, result, self._value(operand))
                return result
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name.upper(), arguments)
            case _:
                raise self._error(f"{ast.unparse(node)!r} is not supported")

    def _variable(self, name: str) -> Value:
        if name in self._variables:
            return self._variables[name]
        known = ", ".join(sorted(self._variables)) or "none"
        raise self._error(f"{name!r} is no id of another query; there are: {known}")

    def _combine(self, function: _Binary, left: Value, right: Value) -> Value:
        if isinstance(left, list):
            return [self._combine(function, item, right) for item in left]
        if isinstance(right, list):
            return [self._combine(function, left, item) for item in right]
        if isinstance(left, str) or isinstance(right, str):
            raise self._error("a text is no number")
        if isinstance(left, float) and isinstance(right, float):
            result = function(left, right)
            return {} if result is None else float(result)
        series: Series = {}
        for time in self._times(left, right):
            first, second = self._at(left, time), self._at(right, time)
            outcome = None if first is None or second is None else function(first, second)
            if outcome is not None:
                series[time] = float(outcome)
        return series

    @staticmethod
    def _times(*values: float | Series) -> list[float]:
        return sorted({time for value in values if isinstance(value, dict) for time in value})

    @staticmethod
    def _at(value: float | Series, time: float) -> float | None:
        return value.get(time) if isinstance(value, dict) else value

    def _call(self, name: str, nodes: Sequence[ast.expr]) -> Value:
        if name == "FILL":
            return self._fill(nodes)
        arguments = [self._value(node) for node in nodes]
        if name == "METRICS":
            return self._metrics(arguments)
        if name == "IF":
            return self._if(arguments)
        if name in _ELEMENTWISE:
            function = _ELEMENTWISE[name]
            return self._combine(lambda value, _zero: float(function(value)), self._single(name, arguments), 0.0)
        if name in _AGGREGATES:
            return self._aggregate(name, self._single(name, arguments))
        raise self._error(f"the function {name} is unknown; allowed: {', '.join(FUNCTIONS)}")

    def _single(self, name: str, arguments: Sequence[Value]) -> Value:
        if len(arguments) != 1:
            raise self._error(
                f"{name} has {len(arguments)} arguments; allowed: one, e.g. {name}(m1) or {name}([m1, m2])"
            )
        return arguments[0]

    def _aggregate(self, name: str, value: Value) -> Value:
        function = _AGGREGATES[name]
        if isinstance(value, dict):
            return float(function(list(value.values()))) if value else {}
        if not isinstance(value, list):
            return value
        parts = [self._number_or_series(part) for part in value]
        if all(isinstance(part, float) for part in parts):
            return float(function([part for part in parts if isinstance(part, float)])) if parts else {}
        series: Series = {}
        for time in self._times(*parts):
            present = [number for part in parts if (number := self._at(part, time)) is not None]
            series[time] = float(function(present))
        return series

    def _number_or_series(self, value: Value) -> float | Series:
        if isinstance(value, list | str):
            raise self._error("a list may hold numbers and time series only")
        return value

    def _metrics(self, arguments: Sequence[Value]) -> Value:
        part = arguments[0] if arguments else ""
        if not isinstance(part, str) or len(arguments) > 1:
            raise self._error('METRICS has at most one argument, a text: METRICS("part of an id")')
        return [value for name, value in self._variables.items() if isinstance(value, dict) and part in name]

    def _if(self, arguments: Sequence[Value]) -> Value:
        if len(arguments) != 3:
            raise self._error(f"IF has {len(arguments)} arguments; allowed: IF(condition, value, otherwise)")
        condition, yes, no = (self._number_or_series(argument) for argument in arguments)
        if isinstance(condition, float):
            return yes if condition else no
        series: Series = {}
        for time, truth in condition.items():
            chosen = self._at(yes if truth else no, time)
            if chosen is not None:
                series[time] = chosen
        return series

    def _fill(self, nodes: Sequence[ast.expr]) -> Value:
        if len(nodes) != 2:
            raise self._error(f"FILL has {len(nodes)} arguments; allowed: FILL(series, number | REPEAT | LINEAR)")
        value = self._value(nodes[0])
        filler = nodes[1].id.upper() if isinstance(nodes[1], ast.Name) else ""
        fill: Callable[[Series], Series]
        if filler == "REPEAT":
            fill = self._repeat
        elif filler == "LINEAR":
            fill = self._linear
        else:
            given = self._number_or_series(self._value(nodes[1]))
            fill = lambda series: self._constant(series, given)  # noqa: E731 - one of three
        if isinstance(value, list):
            return [fill(part) if isinstance(part, dict) else part for part in value]
        return fill(value) if isinstance(value, dict) else value

    def _constant(self, series: Series, given: float | Series) -> Series:
        filled: Series = {}
        for time in self._timestamps:
            number = series[time] if time in series else self._at(given, time)
            if number is not None:
                filled[time] = number
        return filled

    def _repeat(self, series: Series) -> Series:
        filled: Series = {}
        last: float | None = None
        for time in self._timestamps:
            last = series.get(time, last)
            if last is not None:
                filled[time] = last
        return filled

    def _linear(self, series: Series) -> Series:
        filled = dict(series)
        known = sorted(series)
        for before, after in itertools.pairwise(known):
            for time in self._timestamps:
                if before < time < after:
                    share = (time - before) / (after - before)
                    filled[time] = series[before] + share * (series[after] - series[before])
        return filled


def _and(left: float, right: float) -> float:
    return float(bool(left) and bool(right))


def _or(left: float, right: float) -> float:
    return float(bool(left) or bool(right))


_SPELLINGS = ((r"&&|\bAND\b", " and "), (r"\|\||\bOR\b", " or "), (r"\^", "**"))
_QUOTED = re.compile(r'("[^"]*")')


def _as_python(expression: str) -> str:
    """The expression in Python's spelling; texts in quotes are left as they are."""
    parts = _QUOTED.split(expression)
    for index in range(0, len(parts), 2):
        for pattern, spelling in _SPELLINGS:
            parts[index] = re.sub(pattern, spelling, parts[index])
    return "".join(parts).strip()
