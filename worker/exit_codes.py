"""What the container's exit code says; ECS shows it on the stopped task."""

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Nothing is lost in any of these cases: what was not handled is in the queue."""

    OK = 0
    """Stopped on request, and everything in hand was handled or given back."""
    ERROR = 1
    """The worker itself failed, or with source ``task`` its handler or the reading of its event; the log says why."""
    USAGE = 2
    """Unknown source, or settings that cannot work."""
    UNFINISHED = 3
    """The stop timeout was shorter than the work in hand, which was interrupted and given back."""
    REFUSED = 4
    """Source ``task``: no other attempt can help; the handler said so, or the event is none."""
