"""How one embedded AWS is set up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ServerSettings"]


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of one server process; nothing else on the machine is shared between two of them.

    Attributes
    ----------
    home:
        Directory of everything the server writes: ``images.json``, ``logs/``, ``tasks/``. Created when missing.
    port:
        TCP port on 127.0.0.1, 1 to 65535. It is the only port that the server opens.
    speedup:
        How many emulated seconds pass in one real second, above 0; default 1. It divides what AWS measures in
        minutes: metric and alarm periods, scaling cooldowns, retry back-off, restart back-off. It does not touch
        what a worker relies on in real time: visibility timeouts, message ages, stop timeouts, task protection.
    auth:
        Whether identity policies are enforced and tasks run under their own task role; default off.
    """

    home: Path
    port: int = 4566
    speedup: float = 1.0
    auth: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; allowed: 1 to 65535")
        if not self.speedup > 0:
            raise ValueError(f"speedup is {self.speedup}; allowed: a number above 0 (1 is real time)")

    @property
    def url(self) -> str:
        """The endpoint that clients and tasks use."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def images_file(self) -> Path:
        """The table image -> local command; see `ops.local.server.images`."""
        return self.home / "images.json"

    @property
    def logs_directory(self) -> Path:
        """One file per container: what the task wrote to stdout and stderr."""
        return self.home / "logs"

    @property
    def tasks_directory(self) -> Path:
        """One record per running task; see `ops.local.server.task_records`."""
        return self.home / "tasks"

    def real_seconds(self, emulated_seconds: float) -> float:
        """The real time in which so many emulated seconds pass."""
        return emulated_seconds / self.speedup
