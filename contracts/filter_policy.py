"""SNS filter policies: what SNS would refuse, or accept and never match, found before a deploy.

Rules from the SNS developer guide, "Amazon SNS message filtering", sections on constraints and operators.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from contracts.event_pattern import field_problems

__all__ = ["MAX_BYTES", "MAX_COMBINATIONS", "MAX_KEYS", "FilterScope", "problems"]

MAX_BYTES = 262_144
MAX_COMBINATIONS = 150
MAX_KEYS = 5

_NUMERIC_LIMIT = 1e9


class FilterScope(StrEnum):
    """What a filter policy looks at."""

    ATTRIBUTES = "MessageAttributes"
    BODY = "MessageBody"
    """The message itself, which must be JSON: for events, the whole envelope."""


def problems(policy: object, scope: FilterScope = FilterScope.BODY) -> list[str]:
    """Everything that is wrong with a filter policy, a sentence each, starting with the path; empty if nothing is."""
    if not isinstance(policy, Mapping) or not policy:
        return [f"a filter policy is an object of at least one field, not {policy!r:.80}"]
    found = field_problems(policy)
    if found:
        return found
    leaves = list(_leaves(policy, 1))
    if scope is FilterScope.ATTRIBUTES and (nested := sorted(k for k, v in policy.items() if isinstance(v, Mapping))):
        found.append(f"{', '.join(nested)}: attributes have no fields of their own; use the scope MessageBody")
    keys = len({path for path, _, _ in leaves})
    if keys > MAX_KEYS:
        found.append(f"the policy has {keys} keys; SNS allows {MAX_KEYS}")
    combinations = math.prod(count * (level if scope is FilterScope.BODY else 1) for _, count, level in leaves)
    if combinations > MAX_COMBINATIONS:
        found.append(
            f"the policy has {combinations:,} combinations (values times depth, multiplied over the keys); SNS allows "
            f"{MAX_COMBINATIONS}: name fewer values"
        )
    found += [
        f"{number!r} is outside -1e9 to 1e9, all that SNS compares"
        for number in _numbers(policy)
        if abs(number) > _NUMERIC_LIMIT
    ]
    if (size := len(json.dumps(policy).encode())) > MAX_BYTES:
        found.append(f"the policy has {size:,} bytes; SNS allows {MAX_BYTES:,}")
    return found


def _leaves(fields: Mapping[str, Any], level: int, path: str = "") -> Iterator[tuple[str, int, int]]:
    """Path, number of values and depth of each key."""
    for name, value in fields.items():
        where = f"{path}.{name}"
        if name == "$or":
            for option in value:
                yield from _leaves(option, level, path)
        elif isinstance(value, Mapping):
            yield from _leaves(value, level + 1, where)
        else:
            yield where, len(value), level


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
