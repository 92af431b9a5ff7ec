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
        lock = threading.Lock()
        # Apart, so that a message that is taken or finished wakes only who can go on because of it.
        self._work = threading.Condition(lock)
        self._room_made = threading.Condition(lock)
        self._waiting: deque[Hashable] = deque()
        self._lanes: dict[Hashable, deque[Message]] = {}
        self._closed = False

    def _lane_of(self, message: Message) -> Hashable:
        return message.group if self._fifo else message

    def wait_for_room(self, timeout_seconds: float) -> int:
        """How many messages may be received now; 0 after `timeout_seconds`, or when closed.

        No room while a lane waits for a thread: another task may have one free.
        """
        with self._room_made:
            self._room_made.wait_for(lambda: self._closed or self._room() > 0, timeout_seconds)
            return 0 if self._closed else self._room()

    def _room(self) -> int:
        return 0 if self._waiting else self._limit - len(self._lanes)

    def add(self, messages: Sequence[Message]) -> list[Message]:
        """Take in what was received; returns what must be given back because of `close`."""
        with self._work:
            if self._closed:
                return list(messages)
            lanes_before = len(self._waiting)
            for message in messages:
                key = self._lane_of(message)
                if key not in self._lanes:
                    self._lanes[key] = deque()
                    self._waiting.append(key)
                self._lanes[key].append(message)
            self._work.notify(len(self._waiting) - lanes_before)
            return []

    def take(self) -> Message | None:
        """Wait for the next message to handle; None when closed. The caller must `finish` it."""
        with self._work:
            self._work.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            message = self._lanes[self._waiting.popleft()][0]
            self._tell_of_room()
            return message

    def finish(self, message: Message, *, settled: bool) -> list[Message]:
        """End the handling of a message that `take` returned.

        Args:
            message: what was taken.
            settled: it will not come back, so the rest of its group may follow; otherwise they must come after it.

        Returns:
            The rest of the group, to be given back, in order; empty when `settled`, or after `close`.
        """
        with self._work:
            key = self._lane_of(message)
            lane = self._lanes[key]
            lane.popleft()
            if settled and lane:
                self._waiting.append(key)
                self._work.notify()
                rest = []
            else:
                rest = list(self._lanes.pop(key))
                self._tell_of_room()
            return rest

    def _tell_of_room(self) -> None:
        if self._room() > 0:
            self._room_made.notify()

    def close(self) -> list[Message]:
        """Start nothing more. Returns all that was not started, each group in order, to be given back."""
        with self._work:
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
            self._work.notify_all()
            self._room_made.notify_all()
            return never_started
