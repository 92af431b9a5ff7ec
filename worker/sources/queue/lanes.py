"""Who is handled next: messages of one group in order and one at a time, groups side by side."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable, Sequence

from worker.sources.queue.messages import Message

__all__ = ["Lanes"]


class Lanes:
    """Messages in hand that are waiting or being handled. Thread-safe.

    A lane is a message group of a FIFO queue, or a single message of a standard queue. Every message that was added
    leaves in exactly one way: `take` and then `finish`, or returned by `finish` or `close` to be given back.

    Args:
        fifo: whether a message group means order.
        limit: lanes in hand at most.
    """

    def __init__(self, *, fifo: bool, limit: int) -> None:
        self._fifo = fifo
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: deque[Hashable] = deque()
        self._lanes: dict[Hashable, deque[Message]] = {}
        self._closed = False

    def _lane_of(self, message: Message) -> Hashable:
        return message.group if self._fifo else message

    def wait_for_room(self, timeout_seconds: float) -> int:
        """How many messages may be received now; 0 after `timeout_seconds`, or when closed.

        No room while a lane waits for a thread: another task may have one free.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._room() > 0, timeout_seconds)
            return 0 if self._closed else self._room()

    def _room(self) -> int:
        return 0 if self._waiting else self._limit - len(self._lanes)

    def add(self, messages: Sequence[Message]) -> list[Message]:
        """Take in what was received; returns what must be given back because of `close`."""
        with self._changed:
            if self._closed:
                return list(messages)
            for message in messages:
                key = self._lane_of(message)
                if key not in self._lanes:
                    self._lanes[key] = deque()
                    self._waiting.append(key)
                self._lanes[key].append(message)
            self._changed.notify_all()
            return []

    def take(self) -> Message | None:
        """Wait for the next message to handle; None when closed. The caller must `finish` it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            message = self._lanes[self._waiting.popleft()][0]
            self._changed.notify_all()
            return message

    def finish(self, message: Message, *, settled: bool) -> list[Message]:
        """End the handling of a message that `take` returned.

        Args:
            message: what was taken.
            settled: it will not come back, so the rest of its group may follow; otherwise they must come after it.

        Returns:
            The rest of the group, to be given back, in order; empty when `settled`, or after `close`.
        """
        with self._changed:
            key = self._lane_of(message)
            lane = self._lanes[key]
            lane.popleft()
            if settled and lane:
                self._waiting.append(key)
                rest = []
            else:
                rest = list(self._lanes.pop(key))
            self._changed.notify_all()
            return rest

    def close(self) -> list[Message]:
        """Start nothing more. Returns all that was not started, each group in order, to be given back."""
        with self._changed:
            self._closed = True
            never_started: list[Message] = []
            for key in list(self._lanes):
                lane = self._lanes[key]
                started = 0 if key in self._waiting else 1
                never_started.extend(list(lane)[started:])
                if started:
                    self._lanes[key] = deque([lane[0]])
                else:
                    del self._lanes[key]
            self._waiting.clear()
            self._changed.notify_all()
            return never_started
