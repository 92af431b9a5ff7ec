"""A queue and the tasks that work it off, second by second.

First in, first out; whole messages; no chance anywhere, so that the same input gives the same output. A task handles
one message at a time (`processing_seconds` of a task that handles several at once is its share). Starting tasks handle
nothing; a scale-in takes starting tasks first, then idle ones, and waits for the busy ones, which protect themselves.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field

__all__ = ["Fleet"]


@dataclass
class Fleet:
    """Tasks and queue.

    Attributes:
        processing_seconds: of one task for one message; over 0.
        start_seconds: from an order until the task receives; whole seconds, 0 or more.
        running: tasks that receive.
        waiting: visible messages.
        in_flight: messages that a task holds.
        delays: how many messages waited how many seconds.
        task_seconds: billed, starting tasks included, at least a minute for each task.
        started: tasks that were ordered.
    """

    processing_seconds: float
    start_seconds: int
    running: int = 0
    waiting: int = 0
    in_flight: int = 0
    delays: Counter[int] = field(default_factory=Counter)
    task_seconds: int = 0
    started: int = 0
    _desired: int = 0
    _starting: deque[list[int]] = field(default_factory=deque)
    _starting_count: int = 0
    _queue: deque[list[int]] = field(default_factory=deque)
    _finishing: dict[int, int] = field(default_factory=dict)
    _carry: float = 0.0
    _births: deque[list[int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        # Those that run from the beginning have had their first minute.
        self._births.append([-60, self.running])

    @property
    def tasks(self) -> int:
        """Running and starting."""
        return self.running + self._starting_count

    def set_desired(self, desired: int, now: int) -> None:
        """What Application Auto Scaling asks ECS for."""
        self._desired = desired
        missing = desired - self.tasks
        if missing > 0:
            self._starting.append([now + self.start_seconds, missing])
            self._starting_count += missing
            self.started += missing
            self._births.append([now, missing])

    def run_already(self, tasks: int, now: int) -> None:
        """Exactly so many tasks run now, having been ordered in time: for who knows the future. Busy ones stay."""
        missing = tasks - self.running
        self._desired = tasks
        if missing > 0:
            self.running += missing
            self.started += missing
            self.task_seconds += self.start_seconds * missing
            self._births.append([now - self.start_seconds, missing])

    def second(self, now: int, arrivals: int) -> None:
        """Let the second that begins at `now` pass, in which `arrivals` messages come."""
        while self._starting and self._starting[0][0] <= now:
            ready = self._starting.popleft()[1]
            self._starting_count -= ready
            self.running += ready
        self.in_flight -= self._finishing.pop(now, 0)
        if arrivals:
            self._queue.append([now, arrivals])
            self.waiting += arrivals
        if self.waiting:
            self._receive(now)
        else:
            self._carry = 0.0
        if self.running + self._starting_count > self._desired:
            self._scale_in(now)
        self.task_seconds += self.running + self._starting_count

    def _receive(self, now: int) -> None:
        """Tasks without a message take the oldest ones."""
        # Several short messages fit into a second; a longer one takes whole seconds that average to the real time.
        rate = max(1.0, 1.0 / self.processing_seconds)
        exact = (self.running - self.in_flight) * rate + (self._carry if rate > 1 else 0.0)
        taken = min(self.waiting, math.floor(exact + 1e-9))
        if rate > 1:
            self._carry = 0.0 if taken == self.waiting else exact - taken
        if taken <= 0:
            return
        self._take(taken, now)
        if rate > 1:
            held, until = min(self.running - self.in_flight, math.ceil(taken / rate - 1e-9)), now + 1
            self._hold(held, until)
            return
        whole = math.floor(self.processing_seconds)
        longer_exact = taken * (self.processing_seconds - whole) + self._carry
        longer = math.floor(longer_exact + 1e-9)
        self._carry = longer_exact - longer
        self._hold(taken - longer, now + whole)
        self._hold(longer, now + whole + 1)

    def _hold(self, messages: int, until: int) -> None:
        if messages > 0:
            self.in_flight += messages
            self._finishing[until] = self._finishing.get(until, 0) + messages

    def _take(self, messages: int, now: int) -> None:
        self.waiting -= messages
        while messages:
            cohort = self._queue[0]
            part = min(messages, cohort[1])
            self.delays[now - cohort[0]] += part
            messages -= part
            cohort[1] -= part
            if not cohort[1]:
                self._queue.popleft()

    def _scale_in(self, now: int) -> None:
        excess = self.tasks - self._desired
        while excess and self._starting:
            newest = self._starting[-1]
            cancelled = min(excess, newest[1])
            newest[1] -= cancelled
            self._starting_count -= cancelled
            excess -= cancelled
            self._bill_the_minute(cancelled, now)
            if not newest[1]:
                self._starting.pop()
        idle = min(excess, self.running - self.in_flight)
        if idle > 0:
            self.running -= idle
            self._bill_the_minute(idle, now)

    def _bill_the_minute(self, stopped: int, now: int) -> None:
        """Fargate bills a task for a minute at least; the newest are taken to stop first."""
        while stopped:
            newest = self._births[-1]
            part = min(stopped, newest[1])
            self.task_seconds += part * max(0, 60 - (now - newest[0]))
            newest[1] -= part
            stopped -= part
            if not newest[1]:
                self._births.pop()
