"""Who is handled next: messages of one group in order and one at a time, groups side by side."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable

from worker.sources.broker.link import Link
from worker.sources.broker.messages import Message

__all__ = ["Lanes"]


class Lanes:
    """Messages in hand that wait, are being handled, or pause before their next attempt. Thread-safe.

    There is no limit here: the broker hands out no more than the prefetch.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._lanes: dict[Hashable, deque[Message]] = {}
        self._ready: deque[Hashable] = deque()
        self._paused: dict[Hashable, float] = {}
        self._taken: set[Hashable] = set()
        self._closed = False

    def add(self, message: Message) -> bool:
        """Take in a delivery; False when closed, and it must be given back."""
        with self._changed:
            if self._closed:
                return False
            lane = self._lanes.setdefault(message.lane, deque())
            lane.append(message)
            if len(lane) == 1:
                self._ready.append(message.lane)
                self._changed.notify()
            return True

    def take(self) -> Message | None:
        """Wait for the next message to handle; None when closed. The caller must `finish` it."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                for lane in [lane for lane, due in self._paused.items() if due <= now]:
                    del self._paused[lane]
                    self._ready.append(lane)
                if self._ready:
                    lane = self._ready.popleft()
                    self._taken.add(lane)
                    if self._ready:
                        self._changed.notify()
                    return self._lanes[lane][0]
                self._changed.wait(min(self._paused.values()) - now if self._paused else None)
            return None

    def finish(self, message: Message, *, again_in_seconds: float | None = None) -> bool:
        """End one attempt.

        Args:
            message: what `take` returned.
            again_in_seconds: keep it first in its lane for another attempt after so long; None: it has left the hand.

        Returns:
            False when it should be kept but cannot (closed, or its link is gone), and has left the lanes.
        """
        with self._changed:
            lane = message.lane
            self._taken.discard(lane)
            kept = again_in_seconds is not None and not self._closed and message.link.alive
            if kept and again_in_seconds is not None:
                self._paused[lane] = self._clock() + again_in_seconds
            else:
                self._lanes[lane].popleft()
                self._next(lane)
            self._changed.notify()
            return kept or again_in_seconds is None

    def _next(self, lane: Hashable) -> None:
        if not self._lanes[lane]:
            del self._lanes[lane]
        elif not self._closed:
            self._ready.append(lane)

    def drop(self, link: Link) -> list[Message]:
        """Forget what came over a lost link and is not being handled: the broker delivers it again."""
        with self._changed:
            dropped = []
            for lane, messages in list(self._lanes.items()):
                head = [messages[0]] if lane in self._taken else []
                rest = list(messages)[len(head) :]
                kept = [message for message in rest if message.link is not link]
                if len(kept) == len(rest):
                    continue
                dropped += [message for message in rest if message.link is link]
                self._lanes[lane] = deque([*head, *kept])
                if head:
                    continue
                was_ready = lane in self._ready
                self._paused.pop(lane, None)
                if was_ready:
                    self._ready.remove(lane)
                self._next(lane)
            self._changed.notify_all()
            return dropped

    def close(self) -> list[Message]:
        """Start nothing more. Returns all that is not being handled, each group in order, to be given back."""
        with self._changed:
            self._closed = True
            left = []
            for lane, messages in list(self._lanes.items()):
                started = 1 if lane in self._taken else 0
                left += list(messages)[started:]
                if started:
                    self._lanes[lane] = deque([messages[0]])
                else:
                    del self._lanes[lane]
            self._ready.clear()
            self._paused.clear()
            self._changed.notify_all()
            return left
