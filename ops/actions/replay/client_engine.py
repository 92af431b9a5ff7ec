"""The client engine: many lanes over one dead-letter queue, and the truthful end of a run."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ops.actions.queues import Queue, QueueDirectory, region_of
from ops.actions.replay.deleter import Deleter
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.hand import Hand
from ops.actions.replay.journal import Journal, Stage
from ops.actions.replay.journal_store import Inheritance, JournalStore
from ops.actions.replay.lane import Lane, RunState
from ops.actions.replay.options import Engine, QueueReport, ReplayOptions, Source
from ops.actions.replay.rate import Pace
from ops.actions.replay.resolvers import resolvers_of
from ops.actions.replay.retrying import Backoff
from ops.actions.replay.routing import Router
from ops.actions.replay.sender import Sender
from ops.actions.replay.snapshot import Snapshot
from ops.actions.replay.tally import Tally
from ops.errors import explain

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

    Raises:
        OpsError: another run holds the queue, or the journal cannot be written; nothing was touched.
    """
    return _Run(aws, directory, source, options, stop, progress, say).execute()


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
    ) -> None:
        self._say = say
        self._aws = aws
        self._directory = directory
        self._source = source
        self._options = options
        self._stop = stop
        self._progress = progress
        self._client = self._client_for(source.queue.url)
        self._halt = threading.Event()
        self._tally = Tally()
        self._error: Exception | None = None
        self._report = QueueReport(source.queue.name, new_run_id(), Engine.CLIENT)

    def execute(self) -> QueueReport:
        endpoint = self._client.meta.endpoint_url
        aws_itself = ".amazonaws.com" in endpoint
        store = JournalStore(self._options.journal_directory, self._source.queue.arn, "" if aws_itself else endpoint)
        with ExitStack() as stack:
            stack.enter_context(store.locked(self._report.run_id))
            inheritance = store.inherit()
            journal = None
            if not self._options.dry_run:
                journal = store.start(self._report.run_id, self._options.visibility_timeout_seconds, inheritance)
                stack.callback(journal.close)
            self._run_lanes(inheritance, journal)
        return self._report

    def _run_lanes(self, inheritance: Inheritance, journal: Journal | None) -> None:
        begun = time.monotonic()
        dlq = self._snapshot_queue()
        interrupted_run_holds = inheritance.held_until > time.time()
        if journal and interrupted_run_holds:
            self._release(inheritance)
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
        snapshot = Snapshot(wanted)
        with Hand(self._client, dlq.url, self._options.visibility_timeout_seconds) as hand:
            state = self._state(dlq, inheritance, journal, snapshot, hand)
            try:
                self._supervise(state, wanted, begun)
            finally:
                self._progress(self._tally, self._report.found, time.monotonic() - begun)
        self._report.lapsing = hand.give_back(in_order=dlq.fifo)
        self._conclude(state, snapshot, wanted)
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
        destinations = Destinations(self._aws)
        router = Router(
            dlq,
            self._directory,
            destinations,
            resolvers_of(self._aws, self._directory, destinations),
            to=options.to,
            manifest_origin=self._source.manifest_origin,
            max_replays=options.replay_limit,
        )
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
                one_destination=options.to is not None,
            )
            deleter = Deleter(self._client, dlq.url, journal)
        return RunState(
            dlq=dlq,
            client=self._client,
            router=router,
            sender=sender,
            deleter=deleter,
            hand=hand,
            snapshot=snapshot,
            pace=Pace(options.rate),
            tally=self._tally,
            backoff=backoff,
            inherited=inheritance.open,
            halt=self._halt,
            visibility_timeout_seconds=options.visibility_timeout_seconds,
            wait_seconds=options.wait_seconds,
            held_until=inheritance.held_until,
        )

    def _supervise(self, state: RunState, wanted: int, begun: float) -> None:
        lanes = min(self._options.concurrency, -(-wanted // state.pace.largest_batch))
        threads = [threading.Thread(target=self._lane, args=(state,), name=f"lane-{n}") for n in range(lanes)]
        for thread in threads:
            thread.start()
        reported = begun
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                if self._stop.is_set():
                    self._halt.set()
                    state.snapshot.close()
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

    def _release(self, inheritance: Inheritance) -> None:
        """Make visible at once what the killed run was sending (as far as its receipt handles still work)."""
        receipts = [entry.receipt for entry in inheritance.open.values() if entry.receipt]
        backoff = Backoff(self._halt, attempts=3)
        for start in range(0, len(receipts), 10):
            entries: list[Any] = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + 10])
            ]
            request = partial(
                self._client.change_message_visibility_batch, QueueUrl=self._source.queue.url, Entries=entries
            )
            try:
                backoff.call(request)
            except Exception:  # noqa: BLE001 - they come back by themselves, only later
                return

    def _conclude(self, state: RunState, snapshot: Snapshot, wanted: int) -> None:
        report, tally = self._report, self._tally
        for reason in state.undeleted.values():
            tally.fail(f"sent, but not deleted here ({reason}); the next replay deletes it without sending it again")
        report.moved, report.recovered = tally.moved, tally.recovered
        report.skipped, report.failed, report.late = tally.skipped, tally.failed, tally.late
        report.duplicates_possible = tally.duplicates_possible
        report.destinations = dict(sorted(tally.destinations.items()))
        report.reasons = dict(tally.reasons.most_common())
        report.interrupted = self._stop.is_set()
        untouched = max(0, report.found - report.moved - report.skipped - report.failed)
        if snapshot.drained and not self._halt.is_set():
            untouched = min(untouched, self._still_there())
        report.left = untouched + report.late
        if self._error is not None:
            report.error = explain(self._error, f"replaying {report.queue}").message
        stopped_by_limit = report.found - wanted
        clean = not (report.error or report.interrupted or report.failed or report.skipped)
        if self._options.dry_run:
            report.complete = not (report.error or report.interrupted)
        else:
            report.complete = clean and report.left <= stopped_by_limit

    def _still_there(self) -> int:
        """How many of those not accounted for are still in the queue: the count at the start is approximate."""
        try:
            now = self._directory.read(self._source.queue.url)
        except Exception:  # noqa: BLE001 - then the count at the start is the best there is
            return self._report.found
        known = self._tally.skipped + self._tally.failed + self._tally.late
        return max(0, now.visible + now.in_flight - known)

    def _client_for(self, url: str) -> SQSClient:
        return self._aws.sqs_without_retries(region_of(url))
