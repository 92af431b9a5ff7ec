"""Base error of the local environment."""

from ops.errors import OpsError

__all__ = ["LocalError"]


class LocalError(OpsError):
    """Something that a user can act on; the message says what, the value and the fix."""
