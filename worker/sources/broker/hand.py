"""The messages that this worker holds unacknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from worker.sources.broker.messages import Message

__all__ = ["Hand"]


class Hand:
    """From delivery until the broker has been told what became of it. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._keys: dict[Message, str | None] = {}

    def __len__(self) -> int:
        with self._changed:
            return len(self._keys)

    def add(self, message: Message) -> None:
        with self._changed:
            self._keys[message] = None

    def handling(self, message: Message, key: str | None) -> None:
        """The message is being handled under this idempotency key; None: no longer."""
        with self._changed:
            if message in self._keys:
                self._keys[message] = key

    def remove(self, messages: Iterable[Message]) -> None:
        with self._changed:
            for message in messages:
                self._keys.pop(message, None)
            self._changed.notify_all()

    def keys(self) -> list[str]:
        """The keys of what is being handled now."""
        with self._changed:
            return [key for key in self._keys.values() if key is not None]

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._keys, timeout_seconds)
