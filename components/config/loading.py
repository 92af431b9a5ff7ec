"""Settings files become `StackSettings`, or one line per mistake."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from components.config.base import PatternSettings, Settings
from components.config.stack import PATTERNS, StackSettings
from components.core.errors import ComponentError, InvalidNameError
from components.core.naming import MAX_PATTERN_NAME, check_name

__all__ = ["NAMESPACE", "SettingsError", "aws_provider", "load", "model_at", "parse"]

NAMESPACE = "eda"

M = TypeVar("M", bound=Settings)

_TEXT_FOR_OTHER = {"int_type", "int_parsing", "float_type", "float_parsing", "bool_type", "bool_parsing"}


class SettingsError(ComponentError):
    """The settings of a stack are wrong; `problems` has a line for each mistake, starting with its path."""

    def __init__(self, stack: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"Pulumi.{stack}.yaml: {count}, nothing was deployed\n{lines}")


def load() -> StackSettings:
    """The settings of the stack that Pulumi is running, from its configuration.

    Raises:
        SettingsError: before any resource is registered.
    """
    config = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    prefix = f"{NAMESPACE}:"
    ours = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    return parse(ours, pulumi.get_stack())


def aws_provider() -> dict[str, Any]:
    """Arguments of an AWS provider like the stack's own: ``aws:…`` of its configuration, which it does not inherit."""
    config = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    ours = {key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")}
    # Texts that look like numbers (an access key of digits) are texts.
    structured = ("[", "{", "true", "false")
    values = {key: _from_text(value) if value.startswith(structured) else value for key, value in ours.items()}
    return {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower(): value for key, value in values.items()}


def parse(config: Mapping[str, str], stack: str) -> StackSettings:
    """Settings from configuration values as Pulumi passes them: JSON text for everything but plain texts."""
    document = {key: _from_text(value) for key, value in config.items()}
    patterns = document.pop("patterns", None)
    shared, problems = _validated(StackSettings, document, ())
    built: dict[str, PatternSettings] = {}
    if patterns is not None and not isinstance(patterns, Mapping):
        problems.append(f"patterns: {_expected_map(patterns)}")
        patterns = None
    for name, value in (patterns or {}).items():
        pattern, wrong = _pattern(name, value)
        problems += wrong
        if pattern:
            built[name] = pattern
    if shared is not None:
        problems += [
            f"patterns.{name}.{problem}" for name, pattern in built.items() for problem in pattern.problems_in(shared)
        ]
        problems += _name_problems("streams", shared.streams)
        problems += _name_problems("kafka", shared.kafka)
        problems += [
            f"kafka.{name}.{problem}" for name, kafka in shared.kafka.items() for problem in kafka.problems_in(shared)
        ]
    if problems or shared is None:
        raise SettingsError(stack, problems)
    return shared.model_copy(update={"patterns": built})


def _name_problems(where: str, entries: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in entries:
        try:
            check_name(name, longest=MAX_PATTERN_NAME)
        except InvalidNameError as error:
            problems.append(f"{where}.{name}: {error}")
    return problems


def _pattern(name: str, value: Any) -> tuple[PatternSettings | None, list[str]]:
    """One entry of `patterns`. Its kind is judged first: the wrong pattern's fields would all be wrong, too."""
    where = f"patterns.{name}"
    try:
        check_name(name, longest=MAX_PATTERN_NAME)
    except InvalidNameError as error:
        return None, [f"{where}: {error}"]
    if not isinstance(value, Mapping):
        return None, [f"{where}: {_expected_map(value)}"]
    allowed = ", ".join(PATTERNS)
    if "pattern" not in value:
        return None, [f"{where}.pattern: is missing; allowed: {allowed}; add `pattern: {next(iter(PATTERNS))}`"]
    kind = value["pattern"]
    if not isinstance(kind, str) or kind not in PATTERNS:
        close = difflib.get_close_matches(str(kind), PATTERNS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return None, [f"{where}.pattern: there is no pattern {kind!r}{hint}; allowed: {allowed}"]
    return _validated(PATTERNS[kind], value, ("patterns", name))


def _validated(model: type[M], document: Mapping[str, Any], prefix: tuple[str, ...]) -> tuple[M | None, list[str]]:
    # Through JSON text, because only there does pydantic's strict mode take a text for an enum and a list for a tuple.
    try:
        return model.model_validate_json(json.dumps(document)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        wrong = [problem["loc"] for problem in details]
        # A list whose only entry is wrong counts as too short as well; one mistake gets one line.
        told = [p for p in details if p["type"] != "too_short" or not any(_inside(loc, p["loc"]) for loc in wrong)]
        return None, [line for problem in told for line in _lines(model, problem, prefix)]


def _inside(loc: Sequence[int | str], outer: Sequence[int | str]) -> bool:
    return len(loc) > len(outer) and tuple(loc[: len(outer)]) == tuple(outer)


def _from_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _lines(model: type[BaseModel], problem: ErrorDetails, prefix: tuple[str, ...]) -> list[str]:
    """``path: what is wrong; allowed: ...; fix``; several for an event pattern, whose problems have their own paths."""
    path = [part for part in problem["loc"] if part != "[key]"]
    where = ".".join(f"[{part}]" if isinstance(part, int) else part for part in (*prefix, *path)).replace(".[", "[")
    if "problems" in (context := problem.get("ctx", {})):
        return [f"{where}.{inner}" if ": " in inner else f"{where}: {inner}" for inner in context["problems"]]
    return [f"{where}: {_sentence(model, problem, path)}"]


def _sentence(model: type[BaseModel], problem: ErrorDetails, path: Sequence[int | str]) -> str:
    field = _field(model, path)
    allowed = f"; allowed: {field.description}" if field and field.description else ""
    kind, value = problem["type"], problem["input"]
    match kind:
        case "extra_forbidden":
            return f"there is no such setting{_known_keys(model, path)}"
        case "missing":
            return f"is missing{allowed}"
        case "value_error":
            return problem["msg"].removeprefix("Value error, ")
        case "dict_type" | "model_type" | "model_attributes_type":
            return _expected_map(value)
        case "tuple_type" | "list_type":
            return f"expected a list, got {_said(value)}; write `[...]` or lines with dashes{allowed}"
        case _ if kind in _TEXT_FOR_OTHER and isinstance(value, str):
            return f"got the text {value!r}{allowed}; remove the quotes"
        case _:
            return f"got {_said(value)}{allowed or '; ' + problem['msg']}"


def _expected_map(value: object) -> str:
    return f"expected a map of settings, got {_said(value)}; write `key: value` lines, without dashes"


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return repr(value)


def _field(root: type[BaseModel], path: Sequence[int | str]) -> FieldInfo | None:
    """The field at a path; for an entry of a list or a map, the field that holds them."""
    for end in range(len(path), 0, -1):
        model = model_at(root, path[: end - 1])
        if model and (field := model.model_fields.get(str(path[end - 1]))):
            return field
    return None


def _known_keys(root: type[BaseModel], path: Sequence[int | str]) -> str:
    model = model_at(root, path[:-1])
    known = sorted(model.model_fields) if model else []
    close = difflib.get_close_matches(str(path[-1]), known, n=1)
    return (f"; did you mean {close[0]!r}?" if close else "") + (f"; allowed: {', '.join(known)}" if known else "")


def model_at(root: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel] | None:
    """The settings class at a path, through optional fields, maps and lists."""
    annotation: Any = root
    for part in path:
        annotation = _below(_plain(annotation), part)
    found = _plain(annotation)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _plain(annotation: Any) -> Any:
    """Without Annotated[...] and | None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _plain(next(option for option in get_args(annotation) if option is not NoneType))
    return annotation


def _below(annotation: Any, part: int | str) -> Any:
    """The annotation of one field, map value or list entry."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    arguments = get_args(annotation)
    return arguments[-1 if get_origin(annotation) is dict else 0] if arguments else None
