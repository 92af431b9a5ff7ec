"""`python -m components.config.reference > docs/settings.md`: the settings reference, from the models themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import get_origin

from pydantic import BaseModel

from components.config.loading import model_at
from components.config.stack import PATTERNS, StackSettings

__all__ = ["render"]

_HEAD = """# Settings

An environment is a file `Pulumi.<stack>.yaml`; everything below stands under `config:` with the prefix `eda:`, for
example `eda:network: {nat: gateway}`. A wrong file is refused before any resource is registered, with one line for each
mistake.

This page is generated: `.venv/bin/python -m components.config.reference > docs/settings.md`.
"""


def render() -> str:
    """The whole reference as Markdown."""
    lines = [_HEAD]
    for name in StackSettings.model_fields:
        if name == "patterns":
            continue
        if model := model_at(StackSettings, [name]):
            lines += [f"## eda:{name}", "", _sentence(model), "", *_table(model, ""), ""]
        elif entry := model_at(StackSettings, [name, 0]):
            lines += [f"## eda:{name}", "", f"A map of names to: {_sentence(entry)}", "", *_table(entry, "<name>."), ""]
    lines += ["## eda:patterns", "", "A map: the name that `ops` uses → one of the patterns below.", ""]
    for kind, pattern in PATTERNS.items():
        lines += [f"### {kind}", "", _sentence(pattern), "", *_table(pattern, ""), ""]
    return "\n".join(lines)


def _sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip()


def _table(model: type[BaseModel], prefix: str) -> list[str]:
    return ["| Setting | Allowed, unit, default |", "|---|---|", *_rows(model, prefix)]


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        required = " **Required.**" if field.is_required() else ""
        yield f"| `{path}` | {str(field.description).replace('|', '&#124;')}.{required} |"
        if inner := model_at(model, [name]):
            yield from _rows(inner, f"{path}.")
        elif entry := model_at(model, [name, 0]):
            yield from _rows(entry, f"{path}.<name>." if get_origin(field.annotation) is dict else f"{path}[].")


if __name__ == "__main__":
    sys.stdout.write(render())
