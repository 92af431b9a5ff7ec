"""The truthful end of a run: what its numbers are, and whether all that was asked for was done."""

from __future__ import annotations

from ops.actions.queues import Queue, QueueDirectory
from ops.actions.replay.options import QueueReport, ReplayOptions
from ops.actions.replay.state import RunState
from ops.errors import explain

__all__ = ["conclude"]


def conclude(
    report: QueueReport,
    state: RunState,
    options: ReplayOptions,
    directory: QueueDirectory,
    wanted: int,
    error: Exception | None,
    *,
    interrupted: bool,
) -> None:
    """Fill in the report, once everything in hand was given back.

    Args:
        report: has `found` already.
        state: of the run that is over.
        options: what was asked for.
        directory: reads the queue once more.
        wanted: of `found`, how many the run was to take.
        error: what ended it early, or None.
        interrupted: a signal ended it.
    """
    tally = state.tally
    for reason in state.undeleted.values():
        tally.fail(f"sent, but not deleted here ({reason}); the next replay deletes it without sending it again")
    report.moved, report.recovered = tally.moved, tally.recovered
    report.skipped, report.failed, report.late = tally.skipped, tally.failed, tally.late
    report.left_out = tally.left_out
    report.duplicates_possible = tally.duplicates_possible
    report.destinations = dict(sorted(tally.destinations.items()))
    report.reasons = dict(tally.reasons.most_common())
    report.missing = sorted(state.awaited)
    report.interrupted = interrupted
    untouched = max(0, report.found - report.moved - report.skipped - report.failed)
    if state.snapshot.drained and not state.halt.is_set():
        untouched = min(untouched, _still_there(directory, state.dlq, report, options))
    report.left = untouched + report.late
    if error is not None:
        report.error = explain(error, f"replaying {report.queue}").message
    if state.dlq.fifo and options.holds_to_the_end and not (state.satisfied or report.error or interrupted):
        seen = sum(report.destinations.values()) if options.dry_run else 0
        report.behind = max(0, untouched - seen - (report.found - wanted))
    if options.dry_run:
        report.complete = not (report.error or interrupted or report.missing)
        return
    refused = report.skipped - report.left_out
    clean = not (report.error or interrupted or report.failed or refused or report.missing)
    may_be_left = report.found if state.satisfied else report.found - wanted
    report.complete = clean and report.left <= may_be_left


def _still_there(directory: QueueDirectory, dlq: Queue, report: QueueReport, options: ReplayOptions) -> int:
    """How many of those not accounted for are still in the queue: the count at the start is approximate."""
    try:
        now = directory.read(dlq.url)
    except Exception:  # noqa: BLE001 - then the count at the start is the best there is
        return report.found
    known = report.skipped + report.failed + report.late + (report.moved if options.copy else 0)
    return max(0, now.visible + now.in_flight - known)
