"""Replays dead-letter queues one after the other: the library call behind `ops replay-dlq`."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ops.actions.queues import QueueDirectory
from ops.actions.replay.backup import Backup
from ops.actions.replay.client_engine import Progress, new_run_id, replay_with_client
from ops.actions.replay.native_engine import replay_natively
from ops.actions.replay.options import Engine, QueueReport, ReplayOptions, ReplayReport, Source
from ops.errors import OpsError, UsageError

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["check_destination", "replay"]


def check_destination(directory: QueueDirectory, sources: Sequence[Source], to: str | None) -> None:
    """Refuse a destination that does not exist, or is itself one of the queues to empty.

    Raises:
        OpsError: it cannot be read.
        UsageError: it is a source.
    """
    if to is None:
        return
    destination = directory.read(to)
    for source in sources:
        if source.queue.arn == destination.arn:
            raise UsageError(
                f"--to is the dead-letter queue {destination.name} itself", "name the queue the messages belong in"
            )


def replay(
    aws: Aws,
    directory: QueueDirectory,
    sources: Sequence[tuple[Source, Engine]],
    options: ReplayOptions,
    stop: threading.Event,
    progress: Callable[[Source], Progress],
    say: Callable[[str], None],
) -> ReplayReport:
    """Replay each queue with its engine, in order; a queue that cannot be replayed does not keep the others from it.

    Args:
        aws: makes clients; its connection pool is at least as large as the concurrency.
        directory: looks queues up.
        sources: the queues, each with an engine that is not `Engine.AUTO`.
        options: see `ReplayOptions`; `max_messages` counts over all queues.
        stop: ends the run early, and well.
        progress: called for each queue, returns where its numbers go.
        say: takes a sentence for the operator.

    Raises:
        OpsError: the backup cannot be made; or the only queue cannot be replayed.
    """
    report = ReplayReport(dry_run=options.dry_run, copy=options.copy)
    backup = None
    if options.backup and not options.dry_run:
        backup = Backup(options.backup, resumed=bool(options.resumes))
    try:
        _replay_each(aws, directory, sources, options, stop, progress, say, backup, report)
    finally:
        if backup:
            say(f"backup: {backup.messages} messages in {backup.path}")
            backup.close()
    return report


def _replay_each(
    aws: Aws,
    directory: QueueDirectory,
    sources: Sequence[tuple[Source, Engine]],
    options: ReplayOptions,
    stop: threading.Event,
    progress: Callable[[Source], Progress],
    say: Callable[[str], None],
    backup: Backup | None,
    report: ReplayReport,
) -> None:
    remaining = options.max_messages
    for source, engine in sources:
        if stop.is_set() or remaining == 0:
            break
        mine = options if remaining is None else dataclasses.replace(options, max_messages=remaining)
        try:
            if engine is Engine.NATIVE:
                one = replay_natively(directory, source, mine, stop, progress(source))
            else:
                one = replay_with_client(aws, directory, source, mine, stop, progress(source), say, backup)
        except OpsError as error:
            if len(sources) == 1:
                raise
            one = QueueReport(source.queue.name, new_run_id(), engine, found=source.queue.visible, error=error.message)
            one.left, one.complete = one.found, False
        report.queues.append(one)
        if remaining is not None:
            remaining -= one.moved
