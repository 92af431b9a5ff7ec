"""Which local command stands for a container image.

``<home>/images.json`` maps an image to what runs in its place::

    {"eda-worker": {"entry_point": ["/venv/bin/python", "-m", "worker"], "command": ["queue"],
                    "working_directory": "/src", "environment": {"K": "v"}}}

An image of a task definition is looked up as it is written, then without its digest, then without its tag, then by
the last part of its name alone: ``1.dkr.ecr.eu-west-1.amazonaws.com/eda-worker:1.4`` finds ``eda-worker``. The file
is read for every start, so it can be changed while the server runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["ImageCommand", "ImageTableError", "command_line", "find_image", "lookup_keys", "read_image_table"]

_KEYS = ("entry_point", "command", "working_directory", "environment")


class ImageTableError(ValueError):
    """The image is not in the table, or the table cannot be read. The message says what to change."""


@dataclass(frozen=True)
class ImageCommand:
    """What an image brings: its ENTRYPOINT, its CMD (one of the two may be empty), directory and environment."""

    command: tuple[str, ...]
    entry_point: tuple[str, ...] = ()
    working_directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def lookup_keys(image: str) -> list[str]:
    """The keys under which `image` is looked up, most exact first, without repetition."""
    without_digest = image.split("@", 1)[0]
    directory, slash, name = without_digest.rpartition("/")
    repository = f"{directory}{slash}{name.split(':', 1)[0]}"
    return list(dict.fromkeys([image, without_digest, repository, name, name.split(":", 1)[0]]))


def find_image(table: Mapping[str, ImageCommand], image: str, *, table_file: Path) -> ImageCommand:
    """The entry for `image`; raises `ImageTableError` with the fix when there is none."""
    for key in lookup_keys(image):
        if key in table:
            return table[key]
    known = ", ".join(sorted(table)) or "none"
    raise ImageTableError(
        f"no local command stands for the image {image!r}; {table_file} has: {known}. "
        f'Fix: add "{lookup_keys(image)[-1]}": {{"command": [...]}} to that file.'
    )


def read_image_table(table_file: Path) -> dict[str, ImageCommand]:
    """Read the table; a missing file is an empty table. Raises `ImageTableError` for anything malformed."""
    try:
        document = json.loads(table_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ImageTableError(f"{table_file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ImageTableError(f"{table_file} holds a {type(document).__name__}; allowed: an object image -> command")
    return {image: _entry(table_file, image, value) for image, value in document.items()}


def command_line(
    image: ImageCommand, entry_point: Sequence[str] | None = None, command: Sequence[str] | None = None
) -> list[str]:
    """The process to start, by Docker's rules.

    A container's ``entryPoint`` replaces everything the image runs; its ``command`` replaces the image's command.
    """
    if entry_point:
        return [*entry_point, *(command or [])]
    return [*image.entry_point, *(command or image.command)]


def _entry(table_file: Path, image: str, value: Any) -> ImageCommand:
    def refuse(what: str) -> ImageTableError:
        return ImageTableError(f"{table_file}: {image}: {what}")

    def texts(name: str) -> tuple[str, ...]:
        found = value.get(name, [])
        if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
            raise refuse(f"{name} is {found!r}; allowed: a list of texts")
        return tuple(found)

    if not isinstance(value, dict):
        raise refuse(f"is a {type(value).__name__}; allowed: an object with {', '.join(_KEYS)}")
    if unknown := sorted(value.keys() - set(_KEYS)):
        raise refuse(f"unknown key {unknown[0]!r}; allowed: {', '.join(_KEYS)}")
    entry_point, command = texts("entry_point"), texts("command")
    if not entry_point and not command:
        raise refuse("starts nothing; set entry_point, command, or both")
    environment = value.get("environment", {})
    if not isinstance(environment, dict) or not all(isinstance(text, str) for text in environment.values()):
        raise refuse(f"environment is {environment!r}; allowed: an object of texts")
    directory = value.get("working_directory")
    if directory is not None and not Path(str(directory)).is_dir():
        raise refuse(f"working_directory {directory!r} is no directory")
    return ImageCommand(command, entry_point, Path(directory) if directory is not None else None, dict(environment))
