"""Documents with Outputs inside, waited for at once.

`pulumi.Output.json_dumps` and `Output.all` make Outputs for every list, mapping and constant of a document, level by
level, and each is a task of the event loop: for the policies and manifests of a hundred workers that was a third of a
program's time. Here only the Outputs that a document has are waited for.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

import pulumi

__all__ = ["json_text", "resolved"]


class _Place:
    """Where the value of an Output belongs."""

    def __init__(self, number: int) -> None:
        self.number = number


def resolved(document: Any) -> pulumi.Output[Any]:
    """The document with its Outputs replaced by their values: unknown while one is unknown, secret if one is secret.

    Args:
        document: mappings, lists and tuples (which become lists), at any depth; keys are plain.
    """
    found: list[pulumi.Input[Any]] = []
    hollow = _hollowed(document, found)
    return pulumi.Output.all(*found).apply(lambda values: _filled(hollow, values))


def json_text(document: Any, *, indent: int | None = None, compact: bool = False) -> pulumi.Output[str]:
    """The JSON text of the document, as `json.dumps` writes it; `compact` leaves out the spaces."""
    separators = (",", ":") if compact else None
    return resolved(document).apply(lambda known: json.dumps(known, indent=indent, separators=separators))


def _hollowed(value: Any, found: list[pulumi.Input[Any]]) -> Any:
    if isinstance(value, pulumi.Output) or inspect.isawaitable(value):
        found.append(value)
        return _Place(len(found) - 1)
    if isinstance(value, Mapping):
        return {key: _hollowed(item, found) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hollowed(item, found) for item in value]
    return value


def _filled(value: Any, known: list[Any]) -> Any:
    if isinstance(value, _Place):
        return known[value.number]
    if isinstance(value, dict):
        return {key: _filled(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    return value
