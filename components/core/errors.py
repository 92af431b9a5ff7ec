"""Errors that a component raises while it is constructed, before anything is registered."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

__all__ = ["ComponentError", "InvalidArgsError", "InvalidNameError", "PolicyError", "PolicyWrittenError"]


class ComponentError(pulumi.RunError, ValueError):
    """Base of all errors of this library. Pulumi prints the message of a RunError without a traceback."""


class InvalidNameError(ComponentError):
    """A logical name that AWS would refuse in one of the physical names derived from it."""


class InvalidArgsError(ComponentError):
    """One or more arguments of a component are wrong; `problems` has one sentence for each."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{where}: {problem}" for problem in problems))


class PolicyError(ComponentError):
    """A policy statement that this library refuses to write (wildcard action, unconditioned principal, ...)."""


class PolicyWrittenError(ComponentError):
    """A statement came after the one policy document of its resource had been written."""
