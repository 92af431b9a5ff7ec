"""Base error of the local environment."""

__all__ = ["LocalError"]


class LocalError(Exception):
    """Something that a user can act on; the message says what, the value and the fix."""
