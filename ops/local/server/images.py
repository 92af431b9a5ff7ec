"""Which local command stands for a container image.

``<home>/images.json`` maps an image to what runs in its place::

    {"eda-worker": {"command": ["/venv/bin/python", "-m"], "working_directory": "/src", "environment": {"K": "v"}}}

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


class ImageTableError(ValueError):
    """The image is not in the table, or the table cannot be read. The message says what to change."""


@dataclass(frozen=True)
class ImageCommand:
    """What an image brings: its entry point and command, working directory and environment."""

    command: tuple[str, ...]
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

    A container's ``entryPoint`` replaces everything the image runs; its ``command`` is appended to the entry point,
    or, without one, to the image's command (which stands for the image's ENTRYPOINT).
    """
    if entry_point:
        return [*entry_point, *(command or [])]
    return [*image.command, *(command or [])]


def _entry(table_file: Path, image: str, value: Any) -> ImageCommand:
    def refuse(what: str) -> ImageTableError:
        return ImageTableError(f"{table_file}: {image}: {what}")

    if not isinstance(value, dict):
        raise refuse(f"is a {type(value).__name__}; allowed: an object with command, working_directory, environment")
    unknown = set(value) - {"command", "working_directory", "environment"}
    if unknown:
        raise refuse(f"unknown key {sorted(unknown)[0]!r}; allowed: command, working_directory, environment")
    command = value.get("command")
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise refuse(f"command is {command!r}; allowed: a list of at least one text")
    environment = value.get("environment", {})
    if not isinstance(environment, dict) or not all(isinstance(text, str) for text in environment.values()):
        raise refuse(f"environment is {environment!r}; allowed: an object of texts")
    directory = value.get("working_directory")
    if directory is not None and not Path(str(directory)).is_dir():
        raise refuse(f"working_directory {directory!r} is no directory")
    return ImageCommand(tuple(command), Path(directory) if directory is not None else None, dict(environment))
