"""Container images without Docker: which command each image would start, for the embedded AWS to run as a process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["ImageProcess", "Images"]


@dataclass(frozen=True, kw_only=True)
class ImageProcess:
    """What a container of an image runs.

    Attributes:
        entry_point: ``ENTRYPOINT``; may be empty.
        command: ``CMD``; may be empty.
        working_directory: absolute path.
        environment: what the image sets (``ENV``).
    """

    command: Sequence[str]
    working_directory: str
    entry_point: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Images:
    """The table ``images.json`` of a local home: image repository → process. Thread-safe.

    A reader never sees half of the file: it is replaced as a whole.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def register(self, repository: str, process: ImageProcess) -> None:
        with self._lock:
            table = json.loads(self._path.read_text()) if self._path.exists() else {}
            table[repository] = asdict(process)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(".draft")
            draft.write_text(json.dumps(table, indent=2, sort_keys=True))
            os.replace(draft, self._path)
