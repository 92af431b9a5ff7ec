"""One number for everything that decides what a deployment creates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["program_fingerprint"]

_FILES = ("__main__.py", "Pulumi.yaml")
_FOLDERS = ("aws_transport", "components", "contracts", "event_schemas", "worker", "functions", "ops/local")
_SKIPPED = "__pycache__"


def program_fingerprint(root: Path, stack: str) -> str:
    """SHA-256 over the program, its settings, the worker, and the local environment's own code.

    The names count as much as the contents: a moved file is a change.
    """
    digest = hashlib.sha256()
    for path in _inputs(root, stack):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _inputs(root: Path, stack: str) -> Iterator[Path]:
    for name in (*_FILES, f"Pulumi.{stack}.yaml"):
        if (root / name).is_file():
            yield root / name
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and _SKIPPED not in path.parts and not path.name.startswith("."):
                yield path
