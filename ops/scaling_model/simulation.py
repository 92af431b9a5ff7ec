"""From a trace and a set of policies to delays, task-hours and a line for the plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ops.scaling_model.autoscaling import Autoscaling
from ops.scaling_model.fleet import Fleet
from ops.scaling_model.plans import Plan, Sample
from ops.scaling_model.traffic import MINUTE_SECONDS, Trace

__all__ = ["Outcome", "Timing", "run_schedule", "simulate"]

_DRAIN_MINUTES = 360
"""How long after the trace the queue may take to empty, before the run is cut off."""


@dataclass(frozen=True)
class Timing:
    """How late AWS is.

    Attributes:
        metric_delay_minutes: until a minute's data points are there; default 1 (SQS sends them every minute, and
            CloudWatch shows them up to a minute later).
        task_start_seconds: Fargate, from the order until the task receives; default 50 (45 to 50 were measured by the
            Wellcome Collection on tasks of common size).
        sleeping_after_minutes, waking_minutes: a queue without any activity, receives included, for 6 hours becomes
            inactive; up to 15 minutes then pass until its metrics are back (SQS developer guide, "Monitoring
            Amazon SQS queues using CloudWatch").
    """

    metric_delay_minutes: int = 1
    task_start_seconds: int = 50
    sleeping_after_minutes: int = 360
    waking_minutes: int = 15


@dataclass(frozen=True)
class Outcome:
    """What happened.

    Attributes:
        delays: messages by the seconds that they waited until a task took them.
        unserved: messages that still waited when the run was cut off; they count as later than any.
        task_hours: billed, including the start of each task.
        tasks_per_minute: running at the end of each minute of the trace.
        waiting_per_minute: visible messages, likewise.
    """

    name: str
    delays: Counter[int]
    unserved: int
    task_hours: float
    started: int
    tasks_per_minute: tuple[int, ...]
    waiting_per_minute: tuple[int, ...]

    def delay_seconds(self, share: float) -> float:
        """The delay that `share` (0 to 1) of all messages do not exceed; infinite when so many were not served."""
        needed = share * (self.delays.total() + self.unserved)
        seen = 0
        for seconds in sorted(self.delays):
            seen += self.delays[seconds]
            if seen >= needed - 1e-9:
                return float(seconds)
        return float("inf")

    def attainment(self, acceptable_latency_seconds: float) -> float:
        """The share of messages that did not wait longer."""
        within = sum(count for seconds, count in self.delays.items() if seconds <= acceptable_latency_seconds)
        return within / (self.delays.total() + self.unserved)


def simulate(trace: Trace, plan: Plan, processing_seconds: float, timing: Timing | None = None) -> Outcome:
    """Run a plan on a trace. It begins with `min` running tasks, and with an hour of nothing before."""
    timing = timing or Timing()
    fleet = Fleet(processing_seconds, timing.task_start_seconds, running=plan.bounds.minimum)
    fleet.set_desired(plan.bounds.minimum, 0)
    autoscaling = Autoscaling(plan)
    samples: list[Sample] = []
    reporting = _Reporting(timing)
    desired = plan.bounds.minimum

    def before_minute(minute: int) -> None:
        nonlocal desired
        known = max(0, minute - timing.metric_delay_minutes)
        if known:
            desired = autoscaling.decide(samples[max(0, known - 40) : known], desired, minute * MINUTE_SECONDS)
            fleet.set_desired(desired, minute * MINUTE_SECONDS)

    def after_minute(minute: int) -> None:
        reported = reporting.after(minute, active=fleet.running > 0 or fleet.waiting > 0)
        samples.append(Sample(fleet.waiting, fleet.in_flight, fleet.running, reported))

    return _run(plan.name, trace, fleet, before_minute, after_minute)


def run_schedule(
    name: str, trace: Trace, tasks_per_minute: Sequence[int], processing_seconds: float, timing: Timing | None = None
) -> Outcome:
    """Run as many tasks in each minute as a schedule says; they were ordered in time, and their start is billed."""
    timing = timing or Timing()
    fleet = Fleet(processing_seconds, timing.task_start_seconds)

    def before_minute(minute: int) -> None:
        last = len(tasks_per_minute) - 1
        fleet.run_already(tasks_per_minute[min(minute, last)], minute * MINUTE_SECONDS)

    return _run(name, trace, fleet, before_minute, lambda minute: None)


@dataclass
class _Reporting:
    """Whether SQS reports the queue's metrics."""

    timing: Timing
    _active_at: int = 0
    _silent_until: int = 0

    def after(self, minute: int, *, active: bool) -> bool:
        asleep = minute - self._active_at > self.timing.sleeping_after_minutes
        if active:
            if asleep:
                self._silent_until = minute + self.timing.waking_minutes
            self._active_at = minute
        return not (asleep and not active) and minute >= self._silent_until


def _run(
    name: str,
    trace: Trace,
    fleet: Fleet,
    before_minute: Callable[[int], None],
    after_minute: Callable[[int], None],
) -> Outcome:
    tasks: list[int] = []
    waiting: list[int] = []
    for minute in range(trace.minutes + _DRAIN_MINUTES):
        arriving = trace.messages_per_minute[minute] if minute < trace.minutes else 0
        if minute >= trace.minutes and not fleet.waiting and not fleet.in_flight:
            break
        before_minute(minute)
        start = minute * MINUTE_SECONDS
        arrived = 0
        for second in range(MINUTE_SECONDS):
            # Evenly, with the same pause before the first and after the last.
            due = (2 * arriving * (second + 1) + MINUTE_SECONDS) // (2 * MINUTE_SECONDS)
            fleet.second(start + second, due - arrived)
            arrived = due
        after_minute(minute)
        if minute < trace.minutes:
            tasks.append(fleet.running)
            waiting.append(fleet.waiting)
    return Outcome(
        name, fleet.delays, fleet.waiting, fleet.task_seconds / 3600, fleet.started, tuple(tasks), tuple(waiting)
    )
