"""What `ops replay-dlq` tells about a run, and the run over what is not a queue of SQS."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn

import typer

from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Output

if TYPE_CHECKING:
    from contracts.manifest import BrokerRef, KafkaRef
    from ops.actions.replay.options import QueueReport, ReplayOptions, ReplayReport
    from ops.aws import Aws

__all__ = ["print_report", "replay_outside_sqs"]


def replay_outside_sqs(
    out: Output, aws: Aws, place: KafkaRef | BrokerRef, name: str, options: ReplayOptions, *, yes: bool
) -> NoReturn:
    """Replay the dead-letter topic of a cluster or the dead-letter queue of a broker, print what happened, and exit."""
    from contracts.manifest import KafkaRef
    from ops.actions.replay.options import ReplayReport
    from ops.actions.replay.rabbitmq import replay_rabbitmq
    from ops.actions.replay.topic_engine import check_topic_options, replay_topic
    from ops.progress import show_progress

    check_topic_options(options)
    if isinstance(place, KafkaRef):
        source, target = place.dead_letter_topic or "", f"topic {place.topic}, for {name} alone"
    else:
        source, target = place.dead_letter_queue, f"queue {place.queue} of the broker {place.name}"
    out.say(f"{source}: what has not been replayed yet → {target}")
    if not (yes or options.dry_run) and not typer.confirm("Move them?", err=True):
        out.say("nothing was moved")
        raise typer.Exit(ExitCode.OK)
    with stop_on_signals() as stop, ExitStack() as stack:
        progress = stack.enter_context(show_progress(out, source))
        if isinstance(place, KafkaRef):
            one = replay_topic(aws, place, name, options, stop, progress)
        else:
            one = replay_rabbitmq(aws, place, options, stop, progress)
    report = ReplayReport([one], dry_run=options.dry_run)
    print_report(out, report)
    raise typer.Exit(report.exit_code())


def print_report(out: Output, report: ReplayReport) -> None:
    for one in report.queues:
        _tell(out, one, report)
    if out.json:
        out.object(report.to_json())
        return
    if report.queues:
        columns = ["queue", "engine", "found", "moved", "skipped", "failed", "left", "duplicates_possible", "seconds"]
        out.rows(columns, [{column: getattr(one, column) for column in columns} for one in report.queues])


def _tell(out: Output, one: QueueReport, whole: ReplayReport) -> None:
    went = "would go" if whole.dry_run else "were copied" if whole.copy else "went"
    for name, messages in one.destinations.items():
        out.say(f"{one.queue}: {messages} {went} to {name}")
    for reason, messages in one.reasons.items():
        out.say(f"{one.queue}: {messages} × {reason}")
    if one.recovered:
        out.say(f"{one.queue}: {one.recovered} had been sent by an interrupted run; they were deleted, not sent again")
    if one.late:
        out.say(f"{one.queue}: {one.late} came after the start and were left: their consumer may still be broken")
    if one.lapsing:
        out.say(f"{one.queue}: {one.lapsing} could not be given back; they reappear when their visibility is over")
    if one.behind:
        out.say(
            f"{one.queue}: {one.behind} stand behind messages of their group that were not taken away: SQS hands out a "
            f"FIFO group in order only, and nothing overtakes"
        )
    if one.missing:
        out.say(f"{one.queue}: not met: {', '.join(one.missing)} (deleted, expired, or held by another consumer)")
    if one.interrupted:
        out.say(f"{one.queue}: interrupted; {one.moved} moved, {one.left} given back or not touched")
    if one.engine == "client" and one.resumable and (one.interrupted or one.error) and not whole.dry_run:
        out.say(f"{one.queue}: to go on: ops replay-dlq --resume {one.run_id}")
    if one.error:
        out.say(f"{one.queue}: {one.error}")
    elif one.engine == "native" and one.left and not one.interrupted:
        out.say(f"{one.queue}: SQS left {one.left}: it does not know where they came from (--engine client may)")
