"""What can go wrong while the program is deployed to the embedded AWS; each message is one readable sentence."""

from __future__ import annotations

from ops.local.errors import LocalError

__all__ = [
    "ProgramError",
    "ResourceError",
    "SettingsError",
    "UnknownPropertyError",
    "UnknownTypeError",
]


class SettingsError(LocalError):
    """A stack's settings file is missing or cannot be used here."""


class ProgramError(LocalError):
    """The program itself raised, before or between its resources."""


class UnknownTypeError(LocalError):
    """The program uses a resource type or a function that has no creator here."""


class UnknownPropertyError(LocalError):
    """The program sets a property that the creator would have to ignore."""


class ResourceError(LocalError):
    """One resource could not be created.

    Attributes:
        urn: Pulumi's name of the resource.
        reason: why, in one sentence.
    """

    def __init__(self, urn: str, reason: str) -> None:
        self.urn = urn
        self.reason = reason
        super().__init__(f"{urn}: {reason}")
