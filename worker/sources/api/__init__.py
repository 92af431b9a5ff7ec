"""Source ``api``: events that are posted over HTTP, answered with what the handler returns."""

from worker.sources.api.serving import run

__all__ = ["run"]
