"""How much of the queue a run takes: what was there when it started, and nothing that came later."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass

__all__ = ["Poll", "Quota", "Snapshot"]


@dataclass(frozen=True)
class Poll:
    """A receive that is under way, and how the run stood when it began."""

    number: int
    working: int
    changes: int


class Snapshot:
    """A count-down that many lanes share, and the decision that the queue is empty.

    A lane reserves before it receives and returns what it did not get. An empty answer proves nothing while another
    lane has messages in hand (on a FIFO queue those hold back the rest of their groups), so only answers to polls
    during which nobody had any count. Whether somebody had is known when the polls that were under way have ended, too:
    the answer to one of them may have been on its way, with messages.

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
        self._numbers = itertools.count()
        self._polling: set[int] = set()
        self._undecided: list[set[int]] = []
        """For each empty answer that may count, the polls that are still to end before it does; enough of them."""
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

    def poll_begins(self) -> Poll:
        """To hand to `received` or `received_nothing`."""
        with self._condition:
            poll = Poll(next(self._numbers), self._working, self._changes)
            self._polling.add(poll.number)
            return poll

    def give_back(self, reserved: int) -> None:
        """No poll was made."""
        with self._condition:
            self._settle(reserved, 0)

    def received_nothing(self, reserved: int, poll: Poll, *, conclusive: bool = True) -> None:
        """A poll came back empty; `conclusive=False` keeps the run polling (a receive may still hold messages)."""
        with self._condition:
            self._settle(reserved, 0)
            self._polling.discard(poll.number)
            self._undecided = [
                others - {poll.number} for others in self._undecided if conclusive or poll.number not in others
            ]
            alone = (poll.working, poll.changes) == (0, self._changes)
            if conclusive and alone and len(self._undecided) < self._empty_polls:
                self._undecided.append(set(self._polling))
            self._empty += self._undecided.count(set())
            self._undecided = [others for others in self._undecided if others]
            if self._empty >= self._empty_polls:
                self._over = True
                self._condition.notify_all()

    def received(self, reserved: int, counted: int, poll: Poll) -> None:
        """A poll brought messages, of which `counted` belong to the snapshot; the lane works until `finished`."""
        with self._condition:
            self._settle(reserved, counted)
            self._polling.discard(poll.number)
            self._undecided.clear()
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
