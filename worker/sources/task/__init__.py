"""Source ``task``: one event from the container's environment, handled once; the exit code says how it went."""

from worker.sources.task.running import run

__all__ = ["run"]
