"""What a rule delivers: a constant, a part of the event, or a text made of parts of it. Checked at construction.

Sources: EventBridge user guide, "Amazon EventBridge input transformation", and the API reference's InputTransformer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.core.errors import InvalidArgsError

__all__ = [
    "MAX_INPUT_CHARACTERS",
    "ConstantInput",
    "InputPath",
    "InputTransformer",
    "TargetInput",
    "path_problem",
    "transformer_path_problem",
]

MAX_INPUT_CHARACTERS = 8192
"""EventBridge API reference, PutTargets: length of Input and of InputTemplate."""

_MAX_PATHS = 100
_MAX_PATH_CHARACTERS = 256
_STEP = r"(?:\.[A-Za-z0-9_-]+|\[\d+\]|\['[^'\]]+'\])"
_PATH = re.compile(rf"\$(?:{_STEP})*")
_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
PREDEFINED = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    }
)


def path_problem(path: object) -> str | None:
    """What is wrong with a JSON path into the event, e.g. ``$.detail.data['channel-id']``; None if nothing is."""
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        return f"path is {path!r}; allowed is $ with .field, ['field'] and [0] steps, e.g. '$.detail.data.region'"
    if len(path) > _MAX_PATH_CHARACTERS:
        return f"path has {len(path)} characters; EventBridge allows {_MAX_PATH_CHARACTERS}"
    return None


def transformer_path_problem(path: object) -> str | None:
    """What is wrong with a path of a transformer, which takes no ['field'] (API reference, InputPathsMap), or None."""
    if (problem := path_problem(path)) is not None:
        return problem
    if "['" in str(path):
        return f"path is {path!r}; a transformer takes .field and [0] steps only, e.g. '$.detail.data.channel-id'"
    return None


@dataclass(frozen=True, kw_only=True)
class ConstantInput:
    """The same JSON document for every event.

    Attributes:
        value: anything that JSON can say; up to 8,192 characters.
    """

    value: Any

    def __post_init__(self) -> None:
        try:
            size = len(json.dumps(self.value))
        except (TypeError, ValueError) as error:
            raise InvalidArgsError("ConstantInput", [f"value is not JSON: {error}"]) from error
        if size > MAX_INPUT_CHARACTERS:
            raise InvalidArgsError(
                "ConstantInput", [f"value has {size:,} characters; EventBridge allows {MAX_INPUT_CHARACTERS:,}"]
            )


@dataclass(frozen=True, kw_only=True)
class InputPath:
    """A part of the event.

    Attributes:
        path: e.g. ``$.detail.data``.
    """

    path: str

    def __post_init__(self) -> None:
        if problem := path_problem(self.path):
            raise InvalidArgsError("InputPath", [problem])


@dataclass(frozen=True, kw_only=True)
class InputTransformer:
    """A JSON template into which parts of the event are put.

    Attributes:
        template: JSON with ``<variable>`` in it. Outside quotes the variable becomes the JSON value that the path
            found; inside quotes its text, which must then be a plain text or number (an object there makes the
            template invalid for that event, and the event goes to the dead-letter queue). Up to 8,192 characters.
        paths: variable → path into the event with .field and [0] steps, up to 100. EventBridge knows
            ``aws.events.event``, ``aws.events.event.json``, ``aws.events.rule-arn``, ``aws.events.rule-name`` and
            ``aws.events.event.ingestion-time`` without one.
    """

    template: str
    paths: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if problems := self._problems():
            raise InvalidArgsError("InputTransformer", problems)

    def _problems(self) -> list[str]:
        problems = []
        for name, path in self.paths.items():
            if not _NAME.fullmatch(name) or name.lower().startswith("aws"):
                problems.append(
                    f"variable {name!r}: use letters, digits, hyphens and underscores; names that start with AWS are "
                    "EventBridge's own"
                )
            if problem := transformer_path_problem(path):
                problems.append(f"variable {name!r}: {problem}")
        if len(self.paths) > _MAX_PATHS:
            problems.append(f"paths has {len(self.paths)} entries; EventBridge allows {_MAX_PATHS}")
        used = set(_VARIABLE.findall(self.template))
        if unknown := sorted(used - self.paths.keys() - PREDEFINED):
            problems.append(f"template uses {', '.join(f'<{name}>' for name in unknown)}, which paths does not define")
        if unused := sorted(self.paths.keys() - used):
            problems.append(f"paths defines {', '.join(unused)}, which the template does not use")
        if not self.template or len(self.template) > MAX_INPUT_CHARACTERS:
            problems.append(
                f"template has {len(self.template):,} characters; allowed are 1 to {MAX_INPUT_CHARACTERS:,}"
            )
        elif (problem := _template_problem(self.template)) is not None:
            problems.append(problem)
        return problems


def _template_problem(template: str) -> str | None:
    try:
        json.loads(example(template))
    except ValueError as error:
        return f"template is not JSON once its variables are filled in ({error}); a text needs quotes around it"
    return None


def example(template: str) -> str:
    """The template with a plain value for each variable: what EventBridge would parse."""
    parts, inside, at = [], False, 0
    while at < len(template):
        if match := _VARIABLE.match(template, at):
            parts.append("x" if inside else '"x"')
            at = match.end()
            continue
        character = template[at]
        if character == "\\" and inside:
            parts.append(template[at : at + 2])
            at += 2
            continue
        inside ^= character == '"'
        parts.append(character)
        at += 1
    return "".join(parts)


TargetInput = ConstantInput | InputPath | InputTransformer
