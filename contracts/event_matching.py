"""Does an event match an event pattern, and if not, which field is the reason.

Semantics of EventBridge (user guide, "Comparison operators for use in event patterns"; aws/event-ruler README):
fields are joined by AND, the entries of a list by OR; operators see leaf values only (an object, an empty list and an
absent field are the same: no leaf); a list in the event matches when one of its elements does, and fields below the
same list must be matched by the same element; numbers are compared as numbers, texts with regard to case.

Patterns are taken as valid: `contracts.event_pattern.problems` finds what is not.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Explanation", "FieldMatch", "explain", "matches"]


@dataclass(frozen=True, kw_only=True)
class FieldMatch:
    """One field of a pattern, held against the event.

    Attributes:
        path: e.g. ``detail.data.region``.
        expected: the pattern's list for this field.
        found: the leaf values of the event there; empty when there are none.
        matches: whether one of them is expected.
        alternative: 1, 2, … for a field of a ``$or`` none of whose alternatives matched; else None.
    """

    path: str
    expected: tuple[Any, ...]
    found: tuple[Any, ...]
    matches: bool
    alternative: int | None = None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Every field that the pattern asks about."""

    fields: tuple[FieldMatch, ...]

    @property
    def matches(self) -> bool:
        return all(item.matches for item in self.fields)

    @property
    def failures(self) -> tuple[FieldMatch, ...]:
        return tuple(item for item in self.fields if not item.matches)


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a rule with this pattern would receive this event (the whole envelope)."""
    return explain(pattern, event).matches


def explain(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> Explanation:
    """Hold every field of the pattern against the event.

    Of a ``$or`` with a match only that alternative is reported. Of a list of objects in the event that element is
    reported which matches best.
    """
    return Explanation(fields=tuple(_object(pattern, event, "")))


def _object(fields: Mapping[str, Any], value: Mapping[str, Any], path: str) -> list[FieldMatch]:
    found: list[FieldMatch] = []
    for name, expected in fields.items():
        where = f"{path}.{name}" if path else name
        if name == "$or":
            found += _either(expected, value, path)
        elif isinstance(expected, Mapping):
            objects = list(_objects(value.get(name))) or [{}]
            found += min((_object(expected, item, where) for item in objects), key=_mismatches)
        else:
            leaves = tuple(_leaves(value.get(name))) if name in value else ()
            found.append(
                FieldMatch(
                    path=where, expected=tuple(expected), found=leaves, matches=any(_entry(e, leaves) for e in expected)
                )
            )
    return found


def _either(options: Sequence[Mapping[str, Any]], value: Mapping[str, Any], path: str) -> list[FieldMatch]:
    results = [_object(option, value, path) for option in options]
    for result in results:
        if not _mismatches(result):
            return result
    return [
        FieldMatch(
            path=item.path,
            expected=item.expected,
            found=item.found,
            matches=item.matches,
            alternative=item.alternative or number,
        )
        for number, result in enumerate(results, 1)
        for item in result
    ]


def _mismatches(fields: Iterable[FieldMatch]) -> int:
    return sum(not item.matches for item in fields)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif not isinstance(value, Mapping):
        yield value


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _objects(item)


def _entry(entry: Any, leaves: tuple[Any, ...]) -> bool:
    """Whether one entry of the pattern's list is satisfied by the field's leaves."""
    if not isinstance(entry, Mapping):
        return any(_equal(leaf, entry) for leaf in leaves)
    ((name, operand),) = entry.items()
    if name == "exists":
        return bool(leaves) is operand
    return any(_OPERATORS[name](leaf, operand) for leaf in leaves)


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, and 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _texts(operand: Any) -> Sequence[str]:
    return [operand] if isinstance(operand, str) else operand


def _case_blind(text: str) -> str:
    """A regular expression for the text where each letter may be either case."""
    return "".join(f"(?:{re.escape(letter.lower())}|{re.escape(letter.upper())})" for letter in text)


def _prefix(leaf: Any, operand: Any) -> bool:
    if not isinstance(leaf, str):
        return False
    if isinstance(operand, Mapping):
        return re.match(_case_blind(operand["equals-ignore-case"]), leaf) is not None
    return leaf.startswith(tuple(_texts(operand)))


def _suffix(leaf: Any, operand: Any) -> bool:
    if not isinstance(leaf, str):
        return False
    if isinstance(operand, Mapping):
        return re.search(_case_blind(operand["equals-ignore-case"]) + r"\Z", leaf) is not None
    return leaf.endswith(tuple(_texts(operand)))


def _equals_ignore_case(leaf: Any, operand: Any) -> bool:
    return isinstance(leaf, str) and any(re.fullmatch(_case_blind(text), leaf) for text in _texts(operand))


def _wildcard(leaf: Any, operand: Any) -> bool:
    return isinstance(leaf, str) and any(_glob(leaf, text) for text in _texts(operand))


def _glob(text: str, pattern: str) -> bool:
    """``*`` is any number of characters; ``\\*`` and ``\\\\`` are themselves; each piece is searched once."""
    pieces = [""]
    for token in re.findall(r"\\[*\\]|\*|[^*\\]+|\\", pattern):
        if token == "*":
            pieces.append("")
        else:
            pieces[-1] += token[1:] if len(token) > 1 and token[0] == "\\" else token
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in middle:
        position = text.find(piece, position, end)
        if position < 0:
            return False
        position += len(piece)
    return True


def _cidr(leaf: Any, operand: str) -> bool:
    try:
        return isinstance(leaf, str) and ipaddress.ip_address(leaf) in ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
}


def _numeric(leaf: Any, operand: Sequence[Any]) -> bool:
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return False
    return all(_COMPARISONS[sign](leaf, bound) for sign, bound in zip(operand[0::2], operand[1::2], strict=True))


def _anything_but(leaf: Any, operand: Any) -> bool:
    if isinstance(operand, Mapping):
        ((name, inner),) = operand.items()
        return not _OPERATORS[name](leaf, inner)
    values = operand if isinstance(operand, list | tuple) else [operand]
    return not any(_equal(leaf, value) for value in values)


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
