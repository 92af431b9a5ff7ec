"""Errors of the shared vocabulary."""

__all__ = ["ContractError", "EventError", "ManifestError", "ScalingError"]


class ContractError(ValueError):
    """Base of all errors in this package; the message says what is wrong, the value, and what is allowed."""


class EventError(ContractError):
    """A document is not an event of the contract."""


class ManifestError(ContractError):
    """A published manifest cannot be read."""


class ScalingError(ContractError):
    """A latency and a processing time from which no scaling target follows."""
