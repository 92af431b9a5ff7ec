"""The client engine: many lanes over one dead-letter queue, and the truthful end of a run."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ops.actions.queues import Queue, QueueDirectory, region_of
from ops.actions.replay.backup import Backup
from ops.actions.replay.conclusion import conclude
from ops.actions.replay.crew import Crew
from ops.actions.replay.deleter import Deleter
from ops.actions.replay.hand import Hand, release
from ops.actions.replay.journal import Journal, Stage
from ops.actions.replay.journal_store import Inheritance, JournalStore
from ops.actions.replay.lane import Lane
from ops.actions.replay.options import Engine, QueueReport, ReplayOptions, Source
from ops.actions.replay.rate import Pace
from ops.actions.replay.resolvers import router_of
from ops.actions.replay.resume import request_of
from ops.actions.replay.retrying import Backoff
from ops.actions.replay.sender import Sender
from ops.actions.replay.snapshot import Quota, Snapshot
from ops.actions.replay.state import RunState
from ops.actions.replay.tally import Tally
from ops.errors import OpsError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from ops.aws import Aws

__all__ = ["Progress", "new_run_id", "replay_with_client"]

_ATTEMPTS = 8

Progress = Callable[[Tally, int, float], None]
"""Called about five times a second with the counters, the number found, and the seconds since the start."""


def new_run_id() -> str:
    """Sortable by time, unique."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:8]}"


def replay_with_client(
    aws: Aws,
    directory: QueueDirectory,
    source: Source,
    options: ReplayOptions,
    stop: threading.Event,
    progress: Progress,
    say: Callable[[str], None] = lambda text: None,
    backup: Backup | None = None,
) -> QueueReport:
    """Empty one dead-letter queue as far as it goes; the report is truthful however it ends.

    Args:
        aws: makes clients; its connection pool is at least as large as the concurrency.
        directory: looks queues up.
        source: the queue.
        options: see `ReplayOptions`.
        stop: ends the run early, and well.
        progress: takes the numbers.
        say: takes a sentence for the operator, when the run has to wait.
        backup: takes every message before it is sent; None with a dry run, and without a backup.

    Raises:
        OpsError: another run holds the queue, or the journal cannot be written; nothing was touched.
    """
    return _Run(aws, directory, source, options, stop, progress, say, backup).execute()


class _Run:
    def __init__(
        self,
        aws: Aws,
        directory: QueueDirectory,
        source: Source,
        options: ReplayOptions,
        stop: threading.Event,
        progress: Progress,
        say: Callable[[str], None],
        backup: Backup | None,
    ) -> None:
        self._say = say
        self._backup = backup
        self._aws = aws
        self._directory = directory
        self._source = source
        self._options = options
        self._stop = stop
        self._progress = progress
        self._client: SQSClient = aws.sqs_without_retries(region_of(source.queue.url))
        self._halt = threading.Event()
        self._tally = Tally()
        self._error: Exception | None = None
        self._report = QueueReport(source.queue.name, new_run_id(), Engine.CLIENT)
        self._visibility_seconds = 30
        self._concluded = False

    def execute(self) -> QueueReport:
        endpoint = self._client.meta.endpoint_url
        aws_itself = ".amazonaws.com" in endpoint
        store = JournalStore(self._options.journal_directory, self._source.queue.arn, "" if aws_itself else endpoint)
        with ExitStack() as stack:
            stack.enter_context(store.locked(self._report.run_id))
            options = self._options
            inheritance = store.inherit(copy=options.copy, to=options.to)
            if options.resumes and options.resumes not in inheritance.done:
                raise OpsError(
                    f"the run {options.resumes} is not one of {self._source.queue.name} at this endpoint any more",
                    "pass the region and --endpoint-url of that run; `ops replay-dlq --list-runs` shows what there is",
                )
            dlq = self._snapshot_queue()
            self._visibility_seconds = options.visibility_seconds(dlq.visible)
            journal = None
            if not options.dry_run:
                journal = store.start(
                    self._report.run_id,
                    self._visibility_seconds,
                    inheritance,
                    copy=options.copy,
                    request=request_of(
                        options, dlq.url, self._source.manifest_origin, inheritance.done.get(options.resumes, 0)
                    ),
                    resumes=options.resumes,
                )
                stack.callback(self._close, journal)
            self._run_lanes(dlq, inheritance, journal)
            self._concluded = True
        return self._report

    def _close(self, journal: Journal) -> None:
        """A run that was stopped can be resumed; a copy of everything is nothing to go on with."""
        report = self._report
        stopped = not self._concluded or report.interrupted or bool(report.error)
        whole = report.complete and not (stopped or report.in_flight or report.lapsing)
        journal.close(
            held_until=time.time() + self._visibility_seconds if report.lapsing else 0.0,
            keep=stopped,
            forget=self._options.copy and whole,
        )

    def _run_lanes(self, dlq: Queue, inheritance: Inheritance, journal: Journal | None) -> None:
        begun = time.monotonic()
        interrupted_run_holds = inheritance.held_until > time.time()
        if journal and interrupted_run_holds:
            receipts = [entry.receipt for entry in inheritance.open.values() if entry.receipt]
            release(self._client, dlq.url, receipts, self._halt)
        if interrupted_run_holds and dlq.in_flight:
            seconds = inheritance.held_until - time.time()
            self._say(
                f"{dlq.name}: an interrupted run holds {dlq.in_flight} messages; what it cannot give back any more "
                f"reappears within {seconds:.0f} s, and is waited for"
            )
        # What a killed run still holds comes back within its visibility timeout: this run waits for it.
        self._report.found = dlq.visible + (dlq.in_flight if interrupted_run_holds else 0)
        self._report.in_flight = 0 if interrupted_run_holds else dlq.in_flight
        limit = self._options.max_messages
        wanted = self._report.found if limit is None else min(limit, self._report.found)
        # With filters everything may have to be looked at for the few that are taken.
        snapshot = Snapshot(wanted if self._options.selection.everything else self._report.found)
        with Hand(self._client, dlq.url, self._visibility_seconds) as hand:
            state = self._state(dlq, inheritance, journal, snapshot, hand)
            try:
                self._supervise(state, begun)
            finally:
                self._progress(self._tally, self._report.found, time.monotonic() - begun)
        self._report.lapsing = hand.give_back(in_order=dlq.fifo)
        conclude(
            self._report,
            state,
            self._options,
            self._directory,
            wanted,
            self._error,
            interrupted=self._stop.is_set(),
        )
        self._report.seconds = time.monotonic() - begun

    def _snapshot_queue(self) -> Queue:
        """The queue as it is now: the lock is held, so no other run of this machine changes it meanwhile."""
        dlq = self._directory.read(self._source.queue.url)
        return dlq if dlq.read_at_ms else replace(dlq, read_at_ms=int(time.time() * 1000))

    def _state(
        self, dlq: Queue, inheritance: Inheritance, journal: Journal | None, snapshot: Snapshot, hand: Hand
    ) -> RunState:
        options = self._options
        backoff = Backoff(self._halt, _ATTEMPTS)
        sender = deleter = None
        if journal:
            unknown = {name: entry for name, entry in inheritance.open.items() if entry.stage is Stage.SENDING}
            sender = Sender(
                journal,
                self._report.run_id,
                unknown,
                backoff,
                self._halt,
                self._tally,
                copying=options.copy,
                one_destination=options.to is not None,
            )
            deleter = None if options.copy else Deleter(self._client, dlq.url, journal)
        return RunState(
            dlq=dlq,
            client=self._client,
            router=router_of(self._aws, self._directory, dlq, self._source, options, self._halt),
            sender=sender,
            deleter=deleter,
            hand=hand,
            snapshot=snapshot,
            pace=Pace(options.rate, ramp_up_seconds=options.ramp_up_seconds),
            tally=self._tally,
            backoff=backoff,
            selection=options.selection,
            quota=Quota(None if options.selection.everything else options.max_messages),
            patch=options.edit,
            backup=self._backup,
            copying=options.copy,
            max_failures=options.max_failures,
            inherited=inheritance.open,
            halt=self._halt,
            visibility_timeout_seconds=self._visibility_seconds,
            wait_seconds=options.wait_seconds,
            held_until=inheritance.held_until,
            awaited=set(options.selection.ids),
        )

    def _supervise(self, state: RunState, begun: float) -> None:
        lanes = min(self._options.concurrency, -(-state.snapshot.messages // state.pace.largest_batch))
        crew = Crew(partial(self._lane, state), lanes)
        reported = begun
        while not crew.wait(0.05):
            if self._stop.is_set():
                self._halt.set()
                state.snapshot.close()
            elif not self._halt.is_set():
                crew.grow()
            if time.monotonic() - reported > 0.2:
                reported = time.monotonic()
                self._progress(self._tally, self._report.found, reported - begun)

    def _lane(self, state: RunState) -> None:
        try:
            Lane(state).run()
        except Exception as error:  # noqa: BLE001 - ends the run, and is told in the report
            if self._error is None:
                self._error = error
            self._halt.set()
            state.snapshot.close()
