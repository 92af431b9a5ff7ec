"""The process that a Dockerfile's image would start, read from its last stage. Nothing is built."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

from ops.local.deployer.images import ImageProcess
from ops.local.errors import LocalError

__all__ = ["read_dockerfile"]

_PYTHONS = ("python", "python3")
# Belong to the image's file system, which does not exist here.
_IMAGE_ONLY = frozenset({"PATH", "PYTHONPATH", "VIRTUAL_ENV", "HOME"})


def read_dockerfile(dockerfile: Path, context: Path) -> ImageProcess:
    """What the image's ``ENTRYPOINT`` and ``CMD`` (both in exec form) start, with this Python, in the build context.

    Raises:
        LocalError: the file cannot be read, starts nothing, or uses the shell form.
    """
    try:
        text = dockerfile.read_text()
    except OSError as error:
        raise LocalError(f"cannot read the Dockerfile {dockerfile}: {error.strerror}") from error
    entry_point: list[str] = []
    arguments: list[str] = []
    environment: dict[str, str] = {}
    for instruction, rest in _instructions(text):
        match instruction:
            case "FROM":
                entry_point, arguments, environment = [], [], {}
            case "ENTRYPOINT":
                entry_point = _exec_form(instruction, rest, dockerfile)
                arguments = []  # as Docker does
            case "CMD":
                arguments = _exec_form(instruction, rest, dockerfile)
            case "ENV":
                environment |= _environment(rest)
            case _:
                pass
    program = entry_point or arguments
    if not program:
        raise LocalError(f"{dockerfile}: no ENTRYPOINT and no CMD, so the local environment cannot tell what it runs")
    if program[0] in _PYTHONS:
        program[0] = sys.executable
    return ImageProcess(
        entry_point=entry_point,
        command=arguments,
        working_directory=str(context.resolve()),
        environment={name: value for name, value in environment.items() if name not in _IMAGE_ONLY},
    )


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    parts = (line.strip().split(None, 1) for line in joined.splitlines() if line.strip())
    return [(part[0].upper(), part[1] if len(part) > 1 else "") for part in parts]


def _exec_form(instruction: str, rest: str, dockerfile: Path) -> list[str]:
    try:
        value = json.loads(rest)
    except ValueError:
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise LocalError(
            f'{dockerfile}: {instruction} {rest!r:.80} is not in exec form; write {instruction} ["program", "argument"]'
        )
    return value


def _environment(rest: str) -> dict[str, str]:
    words = shlex.split(rest)
    if words and "=" not in words[0]:  # the old form: ENV NAME value
        return {words[0]: " ".join(words[1:])}
    return dict(word.split("=", 1) for word in words if "=" in word)
