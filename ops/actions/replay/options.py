"""What a replay is asked to do, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ops.actions.queues import Queue
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
        engine: see `Engine`.
        max_messages: stop after so many; None takes all that were there at the start.
        max_replays: refuse a message that was replayed this often, 1 or more; None is 3, and lets SQS move messages
            itself, which does not count.
        concurrency: requests in flight, 1 to 256; default 32.
        dry_run: find out what would happen; nothing is moved.
        visibility_timeout_seconds: for how long a received message is hidden, 2 to 43,200; default 30. Extended while
            it is held, and what a killed run keeps of it from the next run.
        wait_seconds: long poll of an empty queue, 0 to 20.
        journal_directory: the folder of the journals.
    """

    journal_directory: Path
    to: str | None = None
    rate: float | None = None
    engine: Engine = Engine.AUTO
    max_messages: int | None = None
    max_replays: int | None = None
    concurrency: int = 32
    dry_run: bool = False
    visibility_timeout_seconds: int = 30
    wait_seconds: int = 1

    @property
    def replay_limit(self) -> int:
        return 3 if self.max_replays is None else self.max_replays


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
        skipped: refused on purpose.
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
    """

    queue: str
    run_id: str
    engine: Engine
    found: int = 0
    moved: int = 0
    skipped: int = 0
    failed: int = 0
    left: int = 0
    duplicates_possible: int = 0
    seconds: float = 0.0
    recovered: int = 0
    late: int = 0
    in_flight: int = 0
    lapsing: int = 0
    destinations: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    error: str = ""
    interrupted: bool = False
    complete: bool = True


@dataclass
class ReplayReport:
    """The sums over all queues of a command."""

    queues: list[QueueReport] = field(default_factory=list)
    dry_run: bool = False

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
            "queues": self.queues,
        }
