"""The destinations of a run: one object for each place, so that what is learnt about a place is learnt once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ops.actions.queues import region_of
from ops.actions.replay.destinations.sqs import SqsQueue

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["Destinations"]

D = TypeVar("D")


class Destinations:
    """Makes each destination once. Safe for many threads.

    Args:
        aws: makes the clients, without retries of their own: the sender must know how often it tried.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._known: dict[tuple[object, ...], Any] = {}
        self._lock = threading.Lock()

    def queue(self, url: str) -> SqsQueue:
        return self._once(("sqs", url), lambda: SqsQueue(self._aws.sqs_without_retries(region_of(url)), url))

    def _once(self, key: tuple[object, ...], make: Callable[[], D]) -> D:
        with self._lock:
            if key not in self._known:
                self._known[key] = make()
            made: D = self._known[key]
            return made
