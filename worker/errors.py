"""Errors that a handler raises, or that stop the worker before it starts, or that stand for a handler."""

__all__ = ["NonRetryableError", "SettingsError", "WorkerLostError"]


class NonRetryableError(Exception):
    """Raised by a handler when no retry can help: the message goes to the dead-letter queue at once, with this text."""


class SettingsError(Exception):
    """The container is configured wrongly; `lines` has one sentence per mistake."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class WorkerLostError(Exception):
    """The message was delivered more often than allowed, and no attempt came to an end: it may end its worker."""
