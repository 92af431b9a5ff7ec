"""The schemas of a folder, and the check of an event against its own."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError as InvalidSchema

from contracts.events import Event

__all__ = ["FOLDER", "Catalogue", "SchemaError"]

FOLDER = Path(__file__).resolve().parent.parent / "contracts" / "schemas"
"""The schemas of this project's events: a file for each, named after its detail-type."""

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """RFC 3339: a date, a time and an offset."""
    if not isinstance(value, str):
        return True
    if "T" not in value.upper():
        return False
    return datetime.datetime.fromisoformat(value).tzinfo is not None


class SchemaError(ValueError):
    """A schema cannot be used; the message names the file and what is wrong."""


class Catalogue:
    """Schemas by source and detail-type. A schema describes ``detail.data``; its ``$id`` is ``source@DetailType``.

    Args:
        schemas: schema by ``source@DetailType``.
    """

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        self.schemas = dict(schemas)
        self._validators = {
            name: Draft202012Validator(dict(schema), format_checker=_FORMATS) for name, schema in schemas.items()
        }

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Catalogue:
        """Every ``*.json`` of the folder.

        Raises:
            SchemaError: a file is not JSON, no JSON Schema (2020-12), or its ``$id`` does not fit its name; or two are
                of the same event.
        """
        schemas: dict[str, Mapping[str, Any]] = {}
        for path in sorted(folder.glob("*.json")):
            schema = _read(path)
            name = schema["$id"]
            if name in schemas:
                raise SchemaError(f"{path.name}: a second schema of {name}")
            schemas[name] = schema
        return cls(schemas)

    def knows(self, event: Event) -> bool:
        """Whether there is a schema of this kind of event."""
        return _name(event) in self._validators

    def problems(self, event: Event) -> list[str]:
        """What is wrong with the event's data, a sentence each, starting with the path; empty without a schema."""
        validator = self._validators.get(_name(event))
        if validator is None:
            return []
        errors = sorted(
            validator.iter_errors(json.loads(json.dumps(dict(event.data)))), key=lambda e: list(map(str, e.path))
        )
        return [f"{_path(error.absolute_path)}: {error.message}" for error in errors]


def _name(event: Event) -> str:
    return f"{event.source}@{event.detail_type}"


def _path(parts: Any) -> str:
    path = "detail.data"
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _read(path: Path) -> Mapping[str, Any]:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
    except (OSError, ValueError) as error:
        raise SchemaError(f"{path.name}: cannot be read ({error})") from error
    except InvalidSchema as error:
        raise SchemaError(f"{path.name}: no JSON Schema ({error.message})") from error
    source, at, kind = str(schema.get("$id", "")).partition("@")
    if not source or not at or kind != path.stem:
        raise SchemaError(f"{path.name}: its $id is {schema.get('$id')!r}; allowed is 'source@{path.stem}'")
    return dict(schema)
