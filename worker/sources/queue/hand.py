"""The messages in hand: received, and neither deleted nor given back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from worker.sources.queue.messages import Message

__all__ = ["MAX_IN_FLIGHT_SECONDS", "Hand"]

MAX_IN_FLIGHT_SECONDS = 43_200
"""SQS: a message is invisible for at most 12 hours since it was received."""


@dataclass
class _Holding:
    received_at: float
    visible_at: float
    extend_at: float
    extending: bool = False
    idempotency_key: str | None = None


class Hand:
    """Knows until when each message is invisible to others. Thread-safe.

    Args:
        visibility_timeout_seconds: what a receive and an extension give.
        clock: seconds, monotonic.
    """

    def __init__(self, visibility_timeout_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.visibility_timeout_seconds = visibility_timeout_seconds
        self._clock = clock
        self._lock = threading.Lock()
        # Apart, so that an ordinary message wakes nobody: the heartbeat for one that is due sooner than it looks
        # next, the others at the end of an extension and of the last message.
        self._sooner = threading.Condition(self._lock)
        self._extension_ended = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
        self._looks_next_at = float("inf")
        self._held: dict[Message, _Holding] = {}

    def __len__(self) -> int:
        return len(self._held)

    def add(self, messages: Iterable[Message], received_at: float) -> None:
        """Hold messages whose timeout began at `received_at`."""
        extend_at = self._extension_due(received_at)
        with self._lock:
            for message in messages:
                visible_at = received_at + self.visibility_timeout_seconds
                self._held[message] = _Holding(received_at, visible_at, extend_at)
            if extend_at < self._looks_next_at:
                self._sooner.notify()

    def _extension_due(self, now: float) -> float:
        # Two attempts may fail before the message lapses.
        return now + self.visibility_timeout_seconds / 3

    def handling(self, message: Message, idempotency_key: str) -> None:
        """Remember whose key is taken while this message is handled."""
        with self._lock:
            if message in self._held:
                self._held[message].idempotency_key = idempotency_key

    def keys(self) -> dict[Message, str | None]:
        """Everything in hand, with the key taken by each."""
        with self._lock:
            return {message: holding.idempotency_key for message, holding in self._held.items()}

    def remaining_seconds(self, message: Message) -> float:
        """How long nobody else can receive the message; 0 when that is over."""
        with self._lock:
            holding = self._held.get(message)
            return 0.0 if holding is None else max(0.0, holding.visible_at - self._clock())

    def remove(self, messages: Iterable[Message]) -> None:
        """Hold them no longer. Returns when no extension is under way, so a shorter timeout can be set safely."""
        messages = list(messages)
        with self._lock:
            self._extension_ended.wait_for(lambda: not any(self._is_extending(message) for message in messages))
            for message in messages:
                self._held.pop(message, None)
            if not self._held:
                self._emptied.notify_all()

    def _is_extending(self, message: Message) -> bool:
        holding = self._held.get(message)
        return holding is not None and holding.extending

    def wait_until_empty(self, timeout_seconds: float) -> bool:
        with self._lock:
            return self._emptied.wait_for(lambda: not self._held, timeout_seconds)

    def wait_for_due(self, timeout_seconds: float) -> dict[Message, int]:
        """The messages to extend now, each with its new timeout; marks them until `extended`.

        A message that has been in flight for 12 hours is not extended: SQS would refuse.
        """
        with self._lock:
            now = self._clock()
            latest = now + timeout_seconds
            self._looks_next_at = min((holding.extend_at for holding in self._held.values()), default=latest)
            self._looks_next_at = min(self._looks_next_at, latest)
            if self._looks_next_at > now:
                self._sooner.wait(self._looks_next_at - now)
            self._looks_next_at = float("inf")
            now = self._clock()
            due: dict[Message, int] = {}
            for message, holding in self._held.items():
                if holding.extend_at <= now:
                    left = int(holding.received_at + MAX_IN_FLIGHT_SECONDS - now)
                    if left < 1:
                        holding.extend_at = float("inf")
                        continue
                    holding.extending = True
                    due[message] = min(int(self.visibility_timeout_seconds), left)
            return due

    def extended(
        self, began_at: float, done: dict[Message, int], failed: Iterable[Message], gone: Iterable[Message]
    ) -> None:
        """Report how the extension that began at `began_at` went; messages that are `gone` are not extended again."""
        with self._lock:
            for message, seconds in done.items():
                if holding := self._held.get(message):
                    holding.visible_at = began_at + seconds
                    holding.extend_at = self._extension_due(began_at)
            for message in failed:
                if holding := self._held.get(message):
                    holding.extend_at = self._clock() + self.visibility_timeout_seconds / 10
            for message in gone:
                if holding := self._held.get(message):
                    holding.extend_at = float("inf")
            for message in (*done, *failed, *gone):
                if holding := self._held.get(message):
                    holding.extending = False
            self._extension_ended.notify_all()
