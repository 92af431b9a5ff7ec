"""What a replay is asked to do, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ops.actions.queues import Queue
from ops.actions.replay.selection import EVERYTHING, Selection
from ops.exit_codes import ExitCode

__all__ = ["Engine", "QueueReport", "ReplayOptions", "ReplayReport", "Source"]


class Engine(StrEnum):
    """Who moves the messages."""

    AUTO = "auto"
    """SQS itself where it can do what is asked, this program otherwise."""
    CLIENT = "client"
    """This program: receive, send, delete."""
    NATIVE = "native"
    """SQS: StartMessageMoveTask."""


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """How to replay.

    Attributes:
        to: URL of the destination of all messages; None sends each where it belongs.
        rate: messages per second, over 0; None does not limit.
        ramp_up_seconds: with `rate`: from a tenth of it to all of it in this time; 0 or more, default 0.
        engine: see `Engine`.
        selection: which messages are taken; the others are given back at the end. Default all.
        max_messages: stop after so many (of those selected); None takes all that were there at the start.
        max_replays: refuse a message that was replayed this often, 1 or more; None is 3, and lets SQS move messages
            itself, which does not count.
        max_failures: end the run after so many failures, 1 or more; None does not.
        edit: a JSON merge patch for each body; None changes none.
        copy: send, and do not delete.
        backup: file for every message that is sent, written before; None writes none.
        resumes: the id of the run that this one goes on with; empty for a new run.
        concurrency: requests in flight, 1 to 256; default 64. A run begins with a few, see `Crew`.
        dry_run: find out what would happen; nothing is moved.
        visibility_timeout_seconds: for how long a received message is hidden, 2 to 43,200; None is 30, and up to 600
            where many are held to the end of the run. Extended while it is held, and what a killed run keeps of it
            from the next run.
        wait_seconds: long poll of an empty queue, 0 to 20.
        journal_directory: the folder of the journals.
    """

    journal_directory: Path
    to: str | None = None
    rate: float | None = None
    ramp_up_seconds: float = 0.0
    selection: Selection = EVERYTHING
    engine: Engine = Engine.AUTO
    max_messages: int | None = None
    max_replays: int | None = None
    max_failures: int | None = None
    edit: Mapping[str, Any] | None = None
    copy: bool = False
    backup: Path | None = None
    resumes: str = ""
    concurrency: int = 64
    dry_run: bool = False
    visibility_timeout_seconds: int | None = None
    wait_seconds: int = 1

    @property
    def replay_limit(self) -> int:
        return 3 if self.max_replays is None else self.max_replays

    @property
    def holds_to_the_end(self) -> bool:
        """True when messages that are not deleted stay in hand: the rest of a FIFO group then stays behind them."""
        return self.dry_run or self.copy or not self.selection.everything

    def visibility_seconds(self, messages: int) -> int:
        """For how long each message is hidden, in a queue that has so many.

        16 requests of 10 in flight renew 200 messages a second even where a round trip takes 0.5 s; half of the time
        is there for it.
        """
        if self.visibility_timeout_seconds is not None:
            return self.visibility_timeout_seconds
        return min(600, 30 + messages // 100) if self.holds_to_the_end else 30


@dataclass(frozen=True)
class Source:
    """A dead-letter queue to empty, and the origin that the stack's manifest gives it (an ARN, or None)."""

    queue: Queue
    manifest_origin: str | None = None


@dataclass
class QueueReport:
    """What happened to one dead-letter queue. `found` = `moved` + `skipped` + `failed` + `left`, late arrivals aside.

    Attributes:
        queue: its name.
        found: messages there at the start.
        moved: gone to their destination.
        skipped: refused on purpose, or left out.
        left_out: of `skipped`, those that the filters did not select.
        behind: of `left`, those that stand behind others of their FIFO group, which were held.
        missing: message ids that were asked for, and not met.
        failed: could not be sent, or not be deleted.
        left: not touched, or given back.
        duplicates_possible: may have arrived twice.
        seconds: how long it took.
        run_id: the run, as in the journal and in deduplication ids.
        engine: who moved them.
        recovered: of `moved`, those an interrupted run had sent already.
        late: of `left`, those that came after the start.
        in_flight: at the start, held by somebody else.
        lapsing: of `left`, those that could not be given back and reappear when their visibility is over.
        destinations: name of a destination → messages.
        reasons: reason → messages, for `skipped` and `failed`.
        error: what ended the run early; empty otherwise.
        interrupted: a signal ended it.
        complete: everything that was asked for was done.
        resumable: whether `--resume` can go on with it; a topic's replay goes on by itself.
    """

    queue: str
    run_id: str
    engine: Engine
    found: int = 0
    moved: int = 0
    skipped: int = 0
    left_out: int = 0
    failed: int = 0
    left: int = 0
    duplicates_possible: int = 0
    seconds: float = 0.0
    recovered: int = 0
    late: int = 0
    in_flight: int = 0
    lapsing: int = 0
    behind: int = 0
    missing: list[str] = field(default_factory=list)
    destinations: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    error: str = ""
    interrupted: bool = False
    complete: bool = True
    resumable: bool = True


@dataclass
class ReplayReport:
    """The sums over all queues of a command."""

    queues: list[QueueReport] = field(default_factory=list)
    dry_run: bool = False
    copy: bool = False

    def exit_code(self) -> ExitCode:
        """The truthful status: interrupted, error (nothing moved), partly, or all done."""
        if any(report.interrupted for report in self.queues):
            return ExitCode.INTERRUPTED
        moved = sum(report.moved for report in self.queues)
        if any(report.error for report in self.queues):
            return ExitCode.PARTLY if moved else ExitCode.ERROR
        return ExitCode.OK if all(report.complete for report in self.queues) else ExitCode.PARTLY

    def to_json(self) -> dict[str, object]:
        """The object that ends stdout: the sums, and `queues` with each one's own numbers."""
        sums: dict[str, object] = {
            name: sum(getattr(report, name) for report in self.queues)
            for name in ("found", "moved", "skipped", "failed", "left", "duplicates_possible", "seconds")
        }
        engines = {str(report.engine) for report in self.queues}
        return {
            **sums,
            "run_id": self.queues[0].run_id if self.queues else "",
            "engine": engines.pop() if len(engines) == 1 else "mixed" if engines else "none",
            "dry_run": self.dry_run,
            "copy": self.copy,
            "queues": self.queues,
        }
