"""A schedule: what goes wrong, when, in a few runs of a replay; and the strategy that makes them up."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.faults.proxy import Fault

__all__ = ["Kill", "Run", "Schedule", "Strike", "schedules"]

ACTIONS = ("ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
_BATCHES = ACTIONS[1:]


@dataclass(frozen=True)
class Strike:
    """`times` requests of `action` fail, after the first `after` of them went well."""

    action: str
    fault: Fault
    after: int
    times: int


@dataclass(frozen=True)
class Kill:
    """SIGKILL at request number `call` of the run, before it reaches AWS, or when AWS has carried it out.

    Then `cut` bytes of the journal's last record are cut off, as a power failure may; its line feed is the first.
    """

    call: int
    acted: bool
    cut: int = 0


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        strikes: what fails.
        kill: how it is killed; None when it is not.
        stop: it is interrupted at this request; None when it is not.
    """

    strikes: tuple[Strike, ...] = ()
    kill: Kill | None = None
    stop: int | None = None


@dataclass(frozen=True)
class Schedule:
    """A dead-letter queue, and the runs over it; a run without any fault follows them until the queue is empty.

    Attributes:
        fifo: both queues are FIFO, with `groups` groups.
        messages: in the queue at the start.
        groups: of a FIFO queue.
        lanes: batches in flight.
        filtered: only every second message is asked for (standard queues).
        copying: messages are copied (standard queues).
        runs: in order.
    """

    fifo: bool
    messages: int
    groups: int
    lanes: int
    filtered: bool
    copying: bool
    runs: tuple[Run, ...]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Schedule:
        runs = tuple(
            Run(
                tuple(Strike(**{**strike, "fault": Fault(strike["fault"])}) for strike in run["strikes"]),
                Kill(**run["kill"]) if run["kill"] else None,
                run["stop"],
            )
            for run in document["runs"]
        )
        return cls(**{**document, "runs": runs})


def _strikes() -> st.SearchStrategy[Strike]:
    anywhere = st.builds(
        Strike,
        st.sampled_from(ACTIONS),
        st.sampled_from([fault for fault in Fault if fault is not Fault.PARTIAL]),
        st.integers(0, 6),
        st.integers(1, 2),
    )
    of_batches = st.builds(
        Strike,
        st.sampled_from(_BATCHES),
        st.sampled_from([Fault.PARTIAL, Fault.DROPPED_AFTER]),
        st.integers(0, 6),
        st.integers(1, 3),
    )
    return anywhere | of_batches


def _runs() -> st.SearchStrategy[Run]:
    kills = st.none() | st.builds(Kill, st.integers(2, 24), st.booleans(), st.just(0) | st.integers(1, 400))
    stops = st.none() | st.integers(2, 16)
    return st.builds(Run, st.lists(_strikes(), max_size=4).map(tuple), kills, stops)


def schedules() -> st.SearchStrategy[Schedule]:
    """Every second one FIFO; up to three runs with faults."""
    runs = st.lists(_runs(), min_size=1, max_size=3).map(tuple)
    fifo = st.builds(
        Schedule,
        st.just(True),
        st.integers(1, 40),
        st.integers(1, 8),
        st.integers(1, 4),
        st.just(False),
        st.just(False),
        runs,
    )
    standard = st.builds(
        Schedule,
        st.just(False),
        st.integers(1, 60),
        st.just(1),
        st.integers(1, 4),
        st.booleans(),
        st.booleans(),
        runs,
    )
    return fifo | standard
