"""How much of the queue a run takes: what was there when it started, and nothing that came later."""

from __future__ import annotations

import threading

__all__ = ["Quota", "Snapshot"]


class Snapshot:
    """A count-down that many lanes share, and the decision that the queue is empty.

    A lane reserves before it receives and returns what it did not get. An empty answer proves nothing while another
    lane has messages in hand (on a FIFO queue those hold back the rest of their groups), so only answers to polls
    during which nobody had any count.

    Args:
        messages: how many may be taken, 0 or more.
        empty_polls: that many empty answers in a row mean empty, 1 or more.
    """

    def __init__(self, messages: int, empty_polls: int = 3) -> None:
        self.messages = messages
        self._remaining = messages
        self._reserved = 0
        self._working = 0
        self._changes = 0
        self._empty = 0
        self._empty_polls = empty_polls
        self._over = False
        self._condition = threading.Condition()

    @property
    def drained(self) -> bool:
        """True when the queue came up empty before the count was reached."""
        return self._over and self._remaining > 0

    def reserve(self, most: int) -> int:
        """Take up to `most`; 0 when the run has taken everything, or waits no longer for what others may return."""
        with self._condition:
            while not self._over and self._remaining == 0 and self._reserved > 0:
                self._condition.wait()
            taken = 0 if self._over else min(most, self._remaining)
            self._remaining -= taken
            self._reserved += taken
            return taken

    def poll_begins(self) -> tuple[int, int]:
        """A mark to hand to `received_nothing`."""
        with self._condition:
            return self._working, self._changes

    def received_nothing(self, reserved: int, mark: tuple[int, int], *, conclusive: bool = True) -> None:
        """A poll came back empty; `conclusive=False` keeps the run polling (a receive may still hold messages)."""
        with self._condition:
            self._settle(reserved, 0)
            if not conclusive or mark != (0, self._changes) or self._working:
                return
            self._empty += 1
            if self._empty >= self._empty_polls:
                self._over = True
                self._condition.notify_all()

    def received(self, reserved: int, counted: int) -> None:
        """A poll brought messages, of which `counted` belong to the snapshot; the lane works until `finished`."""
        with self._condition:
            self._settle(reserved, counted)
            self._empty = 0
            self._working += 1
            self._changes += 1

    def finished(self) -> None:
        """The lane has nothing in hand any more."""
        with self._condition:
            self._working -= 1
            self._changes += 1

    def close(self) -> None:
        """No lane gets anything from now on."""
        with self._condition:
            self._over = True
            self._condition.notify_all()

    def _settle(self, reserved: int, counted: int) -> None:
        self._reserved -= reserved
        self._remaining += reserved - counted
        self._condition.notify_all()


class Quota:
    """How many of the selected messages a run takes; shared by all lanes.

    Args:
        messages: 1 or more; None for all.
    """

    def __init__(self, messages: int | None) -> None:
        self._left = messages
        self._lock = threading.Lock()

    def take(self) -> bool:
        """False when the quota is used up already."""
        with self._lock:
            if self._left is None:
                return True
            if self._left == 0:
                return False
            self._left -= 1
            return True

    @property
    def used_up(self) -> bool:
        return self._left == 0
