"""What EventBridge hands to a target: Input, InputPath or InputTransformer applied to an event.

Follows the EventBridge user guide, "Amazon EventBridge input transformation":

- a variable in the position of a JSON value becomes the JSON of its value, so that a string gets its quotes;
- a variable inside a string becomes text: a string itself (escaped, so that the whole stays valid JSON), anything else
  its JSON without the quotes;
- a template without any quote is plain text;
- a variable whose path does not exist becomes the empty string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["TransformError", "as_text", "resolve_path", "target_input"]

_LITERAL_OR_VARIABLE = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>"]*>')
_VARIABLE = re.compile(r"<([^<>\"]*)>")
_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]|(?P<all>\[\*\])"""
)
_MISSING = object()


class TransformError(ValueError):
    """A path or template that this module does not understand; the message names it."""


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    """The text that EventBridge would deliver to this target for this event.

    Args:
        target: an element of ListTargetsByRule's ``Targets``.
        event: the event as matched, envelope included.
        rule_arn: the rule, for the variables ``aws.events.rule-arn`` and ``aws.events.rule-name``.

    Raises:
        TransformError: a path cannot be read.
    """
    if transformer := target.get("InputTransformer"):
        values = _variables(transformer.get("InputPathsMap") or {}, event, rule_arn)
        return _render(transformer["InputTemplate"], values)
    if (constant := target.get("Input")) is not None:
        return str(constant)
    if path := target.get("InputPath"):
        part = resolve_path(path, event)
        return _json(event if part is _MISSING else part)
    return _json(event)


def resolve_path(path: str, event: Mapping[str, Any]) -> Any:
    """The value at a JSON path as EventBridge knows them (names, indices, wildcards), or a marker when absent."""
    if not path.startswith("$"):
        raise TransformError(f"{path!r} is not a JSON path: it starts with $")
    position = 1
    values: list[Any] = [event]
    many = False
    while position < len(path):
        step = _STEP.match(path, position)
        if not step:
            raise TransformError(f"{path!r}: cannot read {path[position:]!r}")
        position = step.end()
        name = step["name"] or step["key"]
        if step["all"] or name == "*":
            many = True
            values = [item for value in values for item in _children(value)]
        elif step["index"] is not None:
            index = int(step["index"])
            values = [value[index] for value in values if isinstance(value, list) and index < len(value)]
        else:
            values = [value[name] for value in values if isinstance(value, Mapping) and name in value]
    if many:
        return values
    return values[0] if values else _MISSING


def as_text(value: Any) -> str:
    """A value in a header, a URL or a key: a text as it is, nothing for an absent one, else its JSON without quotes."""
    if value is _MISSING:
        return ""
    return value if isinstance(value, str) else _json(value).replace('"', "")


def _children(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _variables(paths: Mapping[str, str], event: Mapping[str, Any], rule_arn: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, path in paths.items():
        value = resolve_path(path, event)
        values[name] = "" if value is _MISSING else value
    return values | {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rsplit("/", 1)[-1],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": dict(event),
        # EventBridge set the event's time when it received it, unless the producer did.
        "aws.events.event.ingestion-time": event.get("time", ""),
    }


def _render(template: str, values: Mapping[str, Any]) -> str:
    if '"' not in template:
        return _VARIABLE.sub(lambda match: _as_text(values, match, escape=False), template)

    def literal_or_variable(match: re.Match[str]) -> str:
        text = match[0]
        if text.startswith('"'):
            return _VARIABLE.sub(lambda inner: _as_text(values, inner, escape=True), text)
        name = text[1:-1]
        return _json(values[name]) if name in values else text

    return _LITERAL_OR_VARIABLE.sub(literal_or_variable, template)


def _as_text(values: Mapping[str, Any], match: re.Match[str], *, escape: bool) -> str:
    if match[1] not in values:
        return match[0]
    value = values[match[1]]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[1:-1] if escape else value
    return _json(value).replace('"', "").replace("\\", "\\\\" if escape else "\\")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
