"""Functions that are no handlers."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.events import Event


async def asynchronous(event: Event) -> None:
    """Calling it does nothing yet."""


def generator(event: Event) -> Iterator[None]:
    """Calling it does nothing yet."""
    yield


def lambda_style(event: Event, context: object) -> None:
    """Wants more than an event."""
