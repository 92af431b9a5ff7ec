"""EventBridge event patterns: what EventBridge would refuse, or accept and never match, found before a deploy.

Rules from the EventBridge user guide, "Comparison operators for use in event patterns" and the quota on their size.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["ENVELOPE_FIELDS", "MAX_BYTES", "field_problems", "problems"]

MAX_BYTES = 2048
"""EventBridge quotas: "Event pattern size" (can be raised on request)."""

ENVELOPE_FIELDS = frozenset(
    {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name"}
)
"""A pattern on any other top-level field is accepted by EventBridge and never matches."""

_NUMERIC_LIMIT = 5e9
_COMPARISONS = ("<", "<=", "=", ">", ">=")
_LOWER, _UPPER = (">", ">="), ("<", "<=")


def problems(pattern: object) -> list[str]:
    """Everything that is wrong with a pattern, a sentence each, starting with the path (``detail.data.region[0]``).

    Empty when EventBridge would accept the pattern and an envelope could match it.
    """
    if not isinstance(pattern, Mapping):
        return [f"an event pattern is an object of fields, not {pattern!r:.80}"]
    if not pattern:
        return ["an event pattern needs at least one field, e.g. source: [pizza.service.com]"]
    found = [*_envelope(pattern), *_object(pattern, "")]
    try:
        size = len(json.dumps(pattern, separators=(",", ":"), ensure_ascii=False).encode())
    except (TypeError, ValueError) as error:
        return [*found, f"the pattern is not JSON: {error}"]
    if size > MAX_BYTES:
        found.append(f"the pattern has {size:,} bytes; EventBridge allows {MAX_BYTES:,}: split it over several rules")
    return found


def field_problems(fields: Mapping[str, Any]) -> list[str]:
    """`problems` of an object of fields that is not an envelope, such as a filter policy of SNS."""
    return list(_object(fields, ""))


def _envelope(pattern: Mapping[str, Any]) -> Iterator[str]:
    for alternative in (pattern, *_alternatives(pattern)):
        for field in alternative:
            if field not in ENVELOPE_FIELDS and field != "$or":
                hint = (
                    f"did you mean {field.replace('_', '-')!r}? " if field.replace("_", "-") in ENVELOPE_FIELDS else ""
                )
                yield f"{field}: no event has this field; {hint}allowed are {', '.join(sorted(ENVELOPE_FIELDS))}"
        if "detail" in alternative and not isinstance(alternative["detail"], Mapping):
            yield f"detail: expected an object of fields, got {alternative['detail']!r:.80}"


def _alternatives(pattern: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    options = pattern.get("$or")
    return [option for option in options if isinstance(option, Mapping)] if isinstance(options, list) else []


def _object(fields: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, value in fields.items():
        where = f"{path}.{name}" if path else str(name)
        if name == "$or":
            yield from _or(value, where, path)
        elif isinstance(value, Mapping):
            if not value:
                yield f"{where}: an empty object matches nothing; name a field or use [{{exists: true}}] on one"
            yield from _object(value, where)
        elif isinstance(value, list | tuple):
            if not value:
                yield f"{where}: an empty list matches nothing; list at least one value"
            for position, entry in enumerate(value):
                yield from _entry(entry, f"{where}[{position}]")
        else:
            yield f"{where}: expected a list of values, got {value!r:.80}; write [{value!r}]"


def _or(value: object, where: str, path: str) -> Iterator[str]:
    if not isinstance(value, list) or len(value) < 2:
        yield f"{where}: expected a list of at least two objects, got {value!r:.80}"
        return
    for position, option in enumerate(value):
        if not isinstance(option, Mapping) or not option:
            yield f"{where}[{position}]: expected an object of fields, got {option!r:.80}"
        else:
            yield from _object(option, path)


def _entry(entry: object, where: str) -> Iterator[str]:
    if entry is None or isinstance(entry, str | bool):
        return
    if isinstance(entry, int | float):
        yield from _number(entry, where)
    elif not isinstance(entry, Mapping):
        yield f"{where}: expected a text, a number, true, false, null or one operator, got {entry!r:.80}"
    elif len(entry) != 1:
        yield f"{where}: expected exactly one operator, got {sorted(map(str, entry))}"
    else:
        ((operator, operand),) = entry.items()
        if operator not in _OPERATORS:
            yield f"{where}: unknown operator {operator!r}; allowed are {', '.join(sorted(_OPERATORS))}"
        else:
            yield from _OPERATORS[operator](operand, f"{where}.{operator}")


def _number(value: float, where: str) -> Iterator[str]:
    if abs(value) > _NUMERIC_LIMIT:
        yield f"{where}: {value!r} is outside -5e9 to 5e9, all that EventBridge compares"


def _text(operand: object, where: str) -> Iterator[str]:
    if not isinstance(operand, str) or not operand:
        yield f"{where}: expected a non-empty text, got {operand!r:.80}"


def _affix(operand: object, where: str) -> Iterator[str]:
    """`prefix` and `suffix` take a text, or that text without regard to case."""
    if isinstance(operand, Mapping):
        if set(operand) != {"equals-ignore-case"}:
            yield f"{where}: expected a text or {{equals-ignore-case: text}}, got {dict(operand)!r:.80}"
        else:
            yield from _text(operand["equals-ignore-case"], f"{where}.equals-ignore-case")
    else:
        yield from _text(operand, where)


def _wildcard(operand: object, where: str) -> Iterator[str]:
    if not isinstance(operand, str) or not operand:
        yield from _text(operand, where)
    elif "**" in re.sub(r"\\.", "", operand):
        yield f"{where}: {operand!r} has two asterisks in a row; one matches any number of characters"
    elif re.search(r"\\(?![*\\])", re.sub(r"\\[*\\]", "", operand)):
        yield f"{where}: {operand!r}: a backslash may stand only before * or another backslash"


def _exists(operand: object, where: str) -> Iterator[str]:
    if not isinstance(operand, bool):
        yield f"{where}: expected true or false, got {operand!r:.80}"


def _cidr(operand: object, where: str) -> Iterator[str]:
    try:
        if not isinstance(operand, str) or "/" not in operand:
            raise ValueError
        ipaddress.ip_network(operand, strict=False)
    except ValueError:
        yield f"{where}: expected an address range such as 10.0.0.0/24, got {operand!r:.80}"


def _numeric(operand: object, where: str) -> Iterator[str]:
    if not isinstance(operand, list | tuple) or len(operand) not in (2, 4):
        yield f'{where}: expected [">", 0] or [">", 0, "<=", 5], got {operand!r:.80}'
        return
    signs, numbers = operand[0::2], operand[1::2]
    for sign in signs:
        if sign not in _COMPARISONS:
            yield f"{where}: unknown comparison {sign!r}; allowed are {' '.join(_COMPARISONS)}"
            return
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            yield f"{where}: expected a number, got {number!r:.80}"
            return
        yield from _number(number, where)
    if len(signs) == 2 and not (signs[0] in _LOWER and signs[1] in _UPPER and numbers[0] < numbers[1]):
        yield f'{where}: a range is a lower bound, then a higher upper one: [">", 0, "<=", 5]; got {operand!r:.80}'


def _anything_but(operand: object, where: str) -> Iterator[str]:
    if isinstance(operand, Mapping):
        inner = {"prefix", "suffix", "equals-ignore-case", "wildcard"}
        if len(operand) != 1 or not set(operand) <= inner:
            yield f"{where}: expected one of {', '.join(sorted(inner))}, got {dict(operand)!r:.80}"
            return
        ((operator, value),) = operand.items()
        check = _wildcard if operator == "wildcard" else _text
        values = value if isinstance(value, list) and value else [value]
        for entry in values:
            yield from check(entry, f"{where}.{operator}")
        return
    values = list(operand) if isinstance(operand, list | tuple) else [operand]
    texts = all(isinstance(value, str) for value in values)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not values or not (texts or numbers):
        yield f"{where}: expected texts, or numbers, or one operator such as prefix; got {operand!r:.80}"


_OPERATORS: Mapping[str, Callable[[object, str], Iterator[str]]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _text,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _affix,
    "suffix": _affix,
    "wildcard": _wildcard,
}
