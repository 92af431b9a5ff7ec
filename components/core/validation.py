"""Validation rules as data: a component keeps a small table beside its args, checked at construction.

Values that are unknown yet (Outputs, awaitables) are skipped; AWS checks those. Testing a table needs no
Pulumi run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi

from components.core.errors import InvalidArgsError

__all__ = ["Check", "OneOf", "Range", "Rule", "check", "is_known"]


def is_known(value: object) -> bool:
    """Whether the value can be looked at now."""
    return not isinstance(value, pulumi.Output) and not inspect.isawaitable(value)


class Rule(Protocol):
    def problems(self, args: Any) -> Iterable[str]:
        """Yield a sentence for each thing that is wrong."""
        ...


def _given(args: Any, field: str) -> tuple[bool, Any]:
    value = getattr(args, field)
    return value is not None and is_known(value), value


@dataclass(frozen=True)
class Range:
    """A number between two bounds, both allowed. `unit` is said in the message; `whole` refuses fractions."""

    field: str
    minimum: float
    maximum: float
    unit: str = ""
    whole: bool = True

    def problems(self, args: Any) -> Iterable[str]:
        given, value = _given(args, self.field)
        if not given:
            return
        kind = "a whole number" if self.whole else "a number"
        allowed = f"{kind} from {self.minimum:,} to {self.maximum:,} {self.unit}".rstrip()
        wrong_type = isinstance(value, bool) or not isinstance(value, int if self.whole else int | float)
        if wrong_type or not self.minimum <= value <= self.maximum:
            yield f"{self.field} is {value!r}; allowed is {allowed}"


@dataclass(frozen=True)
class OneOf:
    """A value of a closed set."""

    field: str
    allowed: Collection[Any]

    def problems(self, args: Any) -> Iterable[str]:
        given, value = _given(args, self.field)
        if given and value not in self.allowed:
            yield f"{self.field} is {value!r}; allowed is one of {', '.join(map(repr, self.allowed))}"


@dataclass(frozen=True)
class Check:
    """A rule over several fields: `wrong` is asked only when all `fields` are known; `message` may be a function."""

    fields: tuple[str, ...]
    wrong: Callable[[Any], bool]
    message: str | Callable[[Any], str]

    def problems(self, args: Any) -> Iterable[str]:
        if all(is_known(getattr(args, field)) for field in self.fields) and self.wrong(args):
            yield self.message if isinstance(self.message, str) else self.message(args)


def check(where: str, args: Any, rules: Iterable[Rule]) -> None:
    """Check all rules and raise one InvalidArgsError with every problem found.

    `where` is the component as its user wrote it, e.g. ``Queue 'orders'``.
    """
    problems = [problem for rule in rules for problem in rule.problems(args)]
    if problems:
        raise InvalidArgsError(where, problems)
