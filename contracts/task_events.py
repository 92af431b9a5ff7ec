"""One event in the environment of one container: how it gets in, and how it is read back.

ECS limits a task's overrides to 8,192 characters of JSON. Who launches a task with the whole event writes it to one
variable, or its place to another one; an EventBridge rule can only write parts of the event, each to a variable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts import environment as env
from contracts.errors import EventError

__all__ = ["MAX_OVERRIDES_CHARACTERS", "assembled", "event_variables", "overrides", "overrides_size", "path_keys"]

MAX_OVERRIDES_CHARACTERS = 8192
"""ECS API reference, TaskOverride: "a maximum of 8192 characters"."""


def overrides(container: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """RunTask's ``overrides`` that set these environment variables of one container."""
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    return {"containerOverrides": [{"name": container, "environment": environment}]}


def overrides_size(document: Mapping[str, Any]) -> int:
    """Characters that count against the limit: the document as JSON."""
    return len(json.dumps(document))


def event_variables(fields: Mapping[str, str]) -> dict[str, str]:
    """The variable that tells the worker which part of the event each of `fields` (variable → path) holds."""
    return {env.EVENT_PATHS: json.dumps(dict(fields), separators=(",", ":"))}


def path_keys(path: str) -> list[str]:
    """``$.detail.object.key`` → ``["detail", "object", "key"]``; ``['version-id']`` may stand for ``.version-id``.

    Raises:
        EventError: a path to anything else, e.g. into an array.
    """
    dotted = path.replace("['", ".").replace("']", "")
    keys = dotted.split(".")
    if keys[0] != "$" or len(keys) < 2 or not all(keys) or "[" in dotted:
        raise EventError(f"{env.EVENT_PATHS}: path {path!r} is not supported; allowed: $.detail.object.key")
    return keys[1:]


def assembled(fields: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, Any]:
    """The event that the variables are parts of. Every value is a text; a part that the event did not have is absent.

    Raises:
        EventError: see `path_keys`; or two paths of which one continues the other.
    """
    event: dict[str, Any] = {}
    for variable, path in fields.items():
        value = variables.get(variable, "")
        *parents, last = path_keys(path)
        if not value:
            continue  # EventBridge writes an empty text for a path that the event does not have
        place: Any = event
        for key in parents:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise EventError(f"{env.EVENT_PATHS}: {path!r} continues another path, which has a text")
        place[last] = value
    return event
