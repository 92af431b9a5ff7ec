"""Which record is handled next: those with the same key in order and one at a time, keys side by side."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from worker.sources.stream.records import Record

__all__ = ["Lanes", "Work"]

Owner = TypeVar("Owner", bound=Hashable)


@dataclass(eq=False, kw_only=True)
class Work(Generic[Owner]):
    """A record on its way.

    Attributes:
        record: what to handle.
        owner: for whom: one holding of one shard; the same shard held again is another.
        attempt: calls of the handler so far, the present one included.
        waits: pauses in a row through no fault of the record.
        given_up: why, once it was; from then on only the on-failure queue is tried.
        retryable: whether another attempt could have helped.
    """

    record: Record
    owner: Owner
    attempt: int = 1
    waits: int = 0
    given_up: Exception | None = None
    retryable: bool = True

    @property
    def lane(self) -> tuple[Owner, str]:
        return self.owner, self.record.lane_key


@dataclass(eq=False)
class _Lane(Generic[Owner]):
    works: deque[Work[Owner]] = field(default_factory=deque)
    busy: bool = False


class Lanes(Generic[Owner]):
    """Records waiting or being handled, of all shards that this task holds. Thread-safe.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._lanes: dict[tuple[Owner, str], _Lane[Owner]] = {}
        self._ready: deque[_Lane[Owner]] = deque()
        self._later: list[tuple[float, int, _Lane[Owner]]] = []
        self._ticket = itertools.count()
        self._dropped: set[Owner] = set()
        self._closed = False
        self._busy = 0

    @property
    def busy(self) -> int:
        """Records that a thread has taken and not finished."""
        return self._busy

    def add(self, owner: Owner, records: Sequence[Record], *, given_up: Exception | None = None) -> None:
        """Take in what was read; `given_up` is the reason if the first is not to be handled."""
        with self._changed:
            if owner in self._dropped:
                return
            for record in records:
                work = Work(record=record, owner=owner, given_up=given_up if record is records[0] else None)
                lane = self._lanes.get(work.lane)
                if lane is None:
                    lane = self._lanes[work.lane] = _Lane()
                    self._ready.append(lane)
                lane.works.append(work)
            self._changed.notify_all()

    def take(self) -> Work[Owner] | None:
        """Wait for the next record; None when closed. The caller must `finish` it or `put_off` it."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                while self._later and self._later[0][0] <= now:
                    lane = heapq.heappop(self._later)[2]
                    if lane.works:  # not dropped meanwhile
                        self._ready.append(lane)
                if self._ready:
                    lane = self._ready.popleft()
                    if not lane.works:
                        continue
                    lane.busy = True
                    self._busy += 1
                    return lane.works[0]
                self._changed.wait(self._later[0][0] - now if self._later else None)
            return None

    def finish(self, work: Work[Owner]) -> None:
        """The record is settled; the next with its key may follow."""
        with self._changed:
            lane = self._give_back(work)
            lane.works.popleft()
            if lane.works:
                self._ready.append(lane)
            else:
                del self._lanes[work.lane]
            self._changed.notify_all()

    def put_off(self, work: Work[Owner], seconds: float) -> None:
        """The record comes again in `seconds`, before any other with its key; never, if its owner was dropped."""
        with self._changed:
            lane = self._give_back(work)
            if work.owner in self._dropped:
                lane.works.clear()
                del self._lanes[work.lane]
            else:
                heapq.heappush(self._later, (self._clock() + seconds, next(self._ticket), lane))
            self._changed.notify_all()

    def _give_back(self, work: Work[Owner]) -> _Lane[Owner]:
        lane = self._lanes[work.lane]
        lane.busy = False
        self._busy -= 1
        return lane

    def drop(self, owner: Owner) -> None:
        """Forget what was not begun; what is being handled may finish."""
        with self._changed:
            self._dropped.add(owner)
            for key, lane in [(key, lane) for key, lane in self._lanes.items() if key[0] == owner]:
                if lane.busy:
                    lane.works = deque([lane.works[0]])
                else:
                    lane.works.clear()
                    del self._lanes[key]
            self._changed.notify_all()

    def in_hand(self, owner: Owner) -> bool:
        """Whether a record of this owner is being handled (or, if it was not dropped, waits)."""
        with self._changed:
            return any(key[0] == owner for key in self._lanes)

    def forget(self, owner: Owner) -> None:
        """The owner, dropped and idle, will not come again."""
        with self._changed:
            self._dropped.discard(owner)

    def close(self) -> None:
        """Start nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
