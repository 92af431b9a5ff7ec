"""Which changes of a schema break somebody: producers that are deployed already, or consumers.

A producer breaks when what it sends is refused now: a new required field, a narrower type, fewer values, tighter
bounds. A consumer breaks when what it reads may be missing now: a field that is gone, or no longer required.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["breaking_changes"]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "const", "multipleOf", "uniqueItems")
_COMBINING = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "dependentRequired", "patternProperties")


def breaking_changes(released: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Every breaking change from one schema to the next, a sentence each, starting with the path; empty if none."""
    return list(_compare(released, current, "data"))


def _compare(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _types(old, new, path)
    yield from _values(old, new, path)
    yield from _bounds(old, new, path)
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(after - before):
        yield f"{path}.{name}: is required now; producers that do not send it break. Make it optional"
    for name in sorted(before - after):
        yield f"{path}.{name}: is no longer required; consumers that read it break. Keep it required"
    fields, others = old.get("properties", {}), new.get("properties", {})
    for name, schema in fields.items():
        if name not in others:
            yield f"{path}.{name}: is gone; consumers that read it break. Keep it, or publish a new detail-type"
        else:
            yield from _compare(_schema(schema), _schema(others[name]), f"{path}.{name}")
    if old.get("additionalProperties", True) is not False and new.get("additionalProperties", True) is False:
        yield f"{path}: refuses unknown fields now; producers that send more break. Allow additionalProperties"
    if "items" in old or "items" in new:
        yield from _compare(_schema(old.get("items", {})), _schema(new.get("items", {})), f"{path}[]")


def _schema(value: Any) -> Mapping[str, Any]:
    """A schema may be true (anything) or false (nothing)."""
    if isinstance(value, Mapping):
        return value
    return {} if value else {"not": {}}


def _types(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    before, after = _type_set(old), _type_set(new)
    if after is None:
        return
    if before is None:
        yield f"{path}: had any type and is {', '.join(sorted(after))} now; producers of others break"
    elif lost := {kind for kind in before if kind not in after and not (kind == "integer" and "number" in after)}:
        yield f"{path}: may no longer be {', '.join(sorted(lost))}; producers of it break. Keep the type"


def _type_set(schema: Mapping[str, Any]) -> set[str] | None:
    kind = schema.get("type")
    if kind is None:
        return None
    return {kind} if isinstance(kind, str) else set(kind)


def _values(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    if "enum" not in new:
        return
    if "enum" not in old:
        yield f"{path}: only {new['enum']} is allowed now; producers of other values break"
    elif lost := [value for value in old["enum"] if value not in new["enum"]]:
        yield f"{path}: {', '.join(map(repr, lost))} is no longer allowed; producers of it break. Keep the value"


def _bounds(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in _LOWER_BOUNDS:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{path}: {name} went from {old.get(name, 'none')} to {new[name]}; producers of less break"
    for name in _UPPER_BOUNDS:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{path}: {name} went from {old.get(name, 'none')} to {new[name]}; producers of more break"
    for name in (*_EXACT, *_COMBINING):
        if name in new and new[name] != old.get(name):
            yield f"{path}: {name} changed from {old.get(name, 'none')!r} to {new[name]!r}, which may refuse old events"
