"""The requests that this worker has taken and not answered."""

from __future__ import annotations

import itertools
import threading

__all__ = ["InFlight"]


class InFlight:
    """From the first byte of a request to the end of its handling. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._keys: dict[int, str | None] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        with self._changed:
            return len(self._keys)

    def begin(self, limit: int) -> int | None:
        """The number of a request that begins now; None when `limit` of them are under way."""
        with self._changed:
            if len(self._keys) >= limit:
                return None
            number = next(self._numbers)
            self._keys[number] = None
            return number

    def handling(self, number: int, key: str) -> None:
        """The request is being handled under this idempotency key."""
        with self._changed:
            self._keys[number] = key

    def end(self, number: int) -> None:
        with self._changed:
            del self._keys[number]
            self._changed.notify_all()

    def keys(self) -> list[str]:
        """The keys of what is being handled now."""
        with self._changed:
            return [key for key in self._keys.values() if key is not None]

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._keys, timeout_seconds)
