"""What could be had by who knows every message in advance: the measure of all policies.

Two figures. The *work* is messages × processing time: no policy gets along with less. The *clairvoyant* schedule starts
every task before it is needed, lets no message wait longer than is acceptable, and is the cheapest of a family, with
the start of each task paid: it decides anew every 1, 5 or 15 minutes, or holds its number as long as it can.
"""

from __future__ import annotations

import math

from ops.scaling_model.decisions import Bounds
from ops.scaling_model.simulation import Outcome, Timing, run_schedule
from ops.scaling_model.traffic import MINUTE_SECONDS, Trace

__all__ = ["clairvoyant", "work_hours"]

_BLOCKS_MINUTES = (1, 5, 15)
_LOOKAHEADS_MINUTES = (1, 2, 3, 5, 10, 15, 30, 60)
_DRAIN_MINUTES = 60


def work_hours(trace: Trace, processing_seconds: float) -> float:
    """Task-hours of pure processing."""
    return trace.messages * processing_seconds / 3600


def clairvoyant(
    trace: Trace,
    acceptable_latency_seconds: float,
    processing_seconds: float,
    bounds: Bounds,
    timing: Timing | None = None,
) -> Outcome:
    """The cheapest schedule with every message in time; if `bounds` allow none, the one with the most in time."""
    name = "clairvoyant optimum"
    demand = _Demand(trace, acceptable_latency_seconds, processing_seconds, bounds)
    schedules = [*map(demand.anew, _BLOCKS_MINUTES), *map(demand.holding, _LOOKAHEADS_MINUTES)]
    outcomes = [run_schedule(name, trace, one, processing_seconds, timing) for one in schedules]
    return min(outcomes, key=lambda one: (-round(one.attainment(acceptable_latency_seconds), 3), one.task_hours))


class _Demand:
    """What has arrived, and what must have been taken, by the end of each minute."""

    def __init__(
        self, trace: Trace, acceptable_latency_seconds: float, processing_seconds: float, bounds: Bounds
    ) -> None:
        latency_minutes = acceptable_latency_seconds / MINUTE_SECONDS
        self._horizon = trace.minutes + _DRAIN_MINUTES + math.ceil(latency_minutes)
        self._bounds = bounds
        self._per_task = MINUTE_SECONDS / processing_seconds
        self._arrived = [0]
        for minute in range(self._horizon):
            more = trace.messages_per_minute[minute] if minute < trace.minutes else 0
            self._arrived.append(self._arrived[-1] + more)
        # Arrivals are spread over their minute, and so are deadlines: they are read off the line.
        due = [_at(self._arrived, minute + 1 - latency_minutes) for minute in range(self._horizon)]
        # What cannot be done later, because even all tasks are too few then, must be done before.
        for minute in range(self._horizon - 2, -1, -1):
            due[minute] = max(due[minute], due[minute + 1] - bounds.maximum * self._per_task)
        self._due = due

    def anew(self, block: int) -> list[int]:
        """In each block of so many minutes the fewest tasks that meet every deadline in it."""
        schedule: list[int] = []
        taken = 0.0
        for start in range(0, self._horizon, block):
            tasks = self._within(self._needed(start, block, taken))
            for minute in range(start, min(start + block, self._horizon)):
                schedule.append(tasks)
                taken = self._after(minute, taken, tasks)
        return schedule

    def holding(self, lookahead: int) -> list[int]:
        """The number is kept as long as no deadline in sight needs more and no task would be idle."""
        schedule: list[int] = []
        taken, tasks = 0.0, self._bounds.minimum
        for minute in range(self._horizon):
            needed = self._needed(minute, lookahead, taken)
            end = min(minute + lookahead, self._horizon)
            useful = math.floor((self._arrived[end] - taken) / (self._per_task * (end - minute)) + 1e-9)
            tasks = self._within(max(needed, min(tasks, useful)))
            schedule.append(tasks)
            taken = self._after(minute, taken, tasks)
        return schedule

    def _needed(self, start: int, minutes: int, taken: float) -> int:
        """The constant number of tasks that meets the deadlines of the next minutes."""
        ends = range(start, min(start + minutes, self._horizon))
        exact = max((self._due[end] - taken) / (self._per_task * (end - start + 1)) for end in ends)
        return math.ceil(exact - 1e-9)

    def _within(self, tasks: int) -> int:
        return min(max(tasks, self._bounds.minimum), self._bounds.maximum)

    def _after(self, minute: int, taken: float, tasks: int) -> float:
        return min(self._arrived[minute + 1], taken + tasks * self._per_task)


def _at(cumulative: list[int], minute: float) -> float:
    """The line through cumulative counts."""
    if minute <= 0:
        return 0.0
    whole = min(int(minute), len(cumulative) - 1)
    following = cumulative[min(whole + 1, len(cumulative) - 1)]
    return cumulative[whole] + (following - cumulative[whole]) * (minute - whole)
