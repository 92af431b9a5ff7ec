"""`ops replay-dlq`."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.context import globals_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Format, Output

if TYPE_CHECKING:
    from ops.actions.replay.options import Engine, QueueReport, ReplayReport, Source

__all__ = ["replay_dlq"]


def replay_dlq(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A pattern of the stack: all of its dead-letter queues that hold something.")
    ] = None,
    dlq_url: Annotated[str | None, typer.Option(help="One queue by its URL, instead of NAME.")] = None,
    dlq: Annotated[str | None, typer.Option(help="With NAME: only its dead-letter queue of this name.")] = None,
    to: Annotated[
        str | None, typer.Option(help="URL of the queue all messages go to, instead of where each belongs.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; move nothing.")] = False,
    rate: Annotated[float | None, typer.Option(help="Messages per second, at most.")] = None,
    max_messages: Annotated[int | None, typer.Option("--max", help="Stop after so many messages.")] = None,
    max_replays: Annotated[
        int | None, typer.Option(help="Refuse a message that was replayed this often already; default 3.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="client (this program), native (SQS's StartMessageMoveTask), or auto.")
    ] = "auto",
    concurrency: Annotated[int, typer.Option(help="Batches in flight, 1 to 256.")] = 32,
    journal_dir: Annotated[
        Path | None, typer.Option(help="Folder of the journals; else EDA_STATE_DIR, XDG_STATE_HOME or ~/.local/state.")
    ] = None,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Move dead-lettered messages back where they belong. Loses none.

    Each message is sent, and only then deleted. A run that was killed is continued by the next one, which deletes
    what was already sent. Delivery is at least once: duplicates_possible counts what may have arrived twice.

    \b
    ops --stack dev replay-dlq orders
    ops replay-dlq --dlq-url https://sqs…/orders-dlq --to https://sqs…/orders --yes --output json
    """
    from ops.actions.dead_letters import dead_letter_sources
    from ops.actions.queues import QueueDirectory
    from ops.actions.replay.choice import choose_engine
    from ops.actions.replay.journal_store import state_directory
    from ops.actions.replay.options import Engine, ReplayOptions
    from ops.actions.replay.run import check_destination, replay
    from ops.manifest import read_pattern
    from ops.progress import show_progress

    out = Output(output)
    settings = globals_of(context)
    if engine not in list(Engine):
        raise UsageError(f"--engine {engine}: not an engine", f"one of {', '.join(Engine)}")
    _check_ranges(rate=rate, max_messages=max_messages, max_replays=max_replays, concurrency=concurrency)
    if Engine(engine) is Engine.NATIVE and (dry_run or max_messages is not None or max_replays is not None):
        raise UsageError("SQS itself can do no --dry-run, --max or --max-replays", "use --engine client")
    if not (yes or dry_run or out.interactive):
        raise UsageError(
            "this moves messages, and there is no terminal to ask whether it may", "pass --yes, or --dry-run"
        )

    aws = settings.aws(connections=concurrency + 16)
    directory = QueueDirectory(aws)
    options = ReplayOptions(
        to=to,
        rate=rate,
        engine=Engine(engine),
        max_messages=max_messages,
        max_replays=max_replays,
        concurrency=concurrency,
        dry_run=dry_run,
        journal_directory=journal_dir or state_directory(os.environ) / "replay",
    )
    found = dead_letter_sources(
        directory, lambda pattern: read_pattern(aws.ssm(), settings.stack, pattern), name, dlq_url, dlq
    )
    check_destination(directory, found, to)
    sources = [source for source in found if dlq_url or source.queue.visible or source.queue.in_flight]
    plan = [(source, *choose_engine(directory, source, options)) for source in sources]
    for source, chosen, why in plan:
        _announce(out, source, chosen, why, to)
    if not plan:
        out.say(f"nothing to replay: the dead-letter queues of {name} are empty")
    elif not (yes or dry_run) and not typer.confirm("Move them?", err=True):
        out.say("nothing was moved")
        raise typer.Exit(ExitCode.OK)

    with stop_on_signals() as stop, ExitStack() as stack:
        report = replay(
            aws,
            directory,
            [(source, chosen) for source, chosen, _ in plan],
            options,
            stop,
            lambda source: stack.enter_context(show_progress(out, source.queue.name)),
            out.say,
        )
    _print(out, report)
    raise typer.Exit(report.exit_code())


def _check_ranges(*, rate: float | None, max_messages: int | None, max_replays: int | None, concurrency: int) -> None:
    if rate is not None and not rate > 0:
        raise UsageError(f"--rate {rate:g}: must be over 0 messages a second")
    if max_messages is not None and max_messages < 1:
        raise UsageError(f"--max {max_messages}: must be 1 or more")
    if max_replays is not None and max_replays < 1:
        raise UsageError(f"--max-replays {max_replays}: must be 1 or more")
    if not 1 <= concurrency <= 256:
        raise UsageError(f"--concurrency {concurrency}: must be 1 to 256")


def _announce(out: Output, source: Source, engine: Engine, why: str, to: str | None) -> None:
    from ops.actions.queues import name_of

    queue = source.queue
    where = name_of(to) if to else "each where it belongs"
    out.say(f"{queue.name}: {queue.visible} messages → {where}; engine {engine} ({why})")
    if queue.in_flight:
        out.say(
            f"{queue.name}: {queue.in_flight} more are in flight: another consumer, or an interrupted run, holds them"
        )
    if queue.redrive_target_arn:
        out.say(
            f"{queue.name} has a dead-letter queue of its own ({queue.redrive_target_arn.rsplit(':', 1)[-1]}): what is "
            f"given back was received once more, and moves there after {queue.max_receive_count} receives"
        )


def _print(out: Output, report: ReplayReport) -> None:
    for one in report.queues:
        _tell(out, one, report.dry_run)
    if out.json:
        out.object(report.to_json())
        return
    if report.queues:
        columns = ["queue", "engine", "found", "moved", "skipped", "failed", "left", "duplicates_possible", "seconds"]
        out.rows(columns, [{column: getattr(one, column) for column in columns} for one in report.queues])


def _tell(out: Output, one: QueueReport, dry_run: bool) -> None:
    for name, messages in one.destinations.items():
        out.say(f"{one.queue}: {messages} {'would go' if dry_run else 'went'} to {name}")
    for reason, messages in one.reasons.items():
        out.say(f"{one.queue}: {messages} × {reason}")
    if one.recovered:
        out.say(f"{one.queue}: {one.recovered} had been sent by an interrupted run; they were deleted, not sent again")
    if one.late:
        out.say(f"{one.queue}: {one.late} came after the start and were left: their consumer may still be broken")
    if one.lapsing:
        out.say(f"{one.queue}: {one.lapsing} could not be given back; they reappear when their visibility is over")
    if one.interrupted:
        out.say(f"{one.queue}: interrupted; {one.moved} moved, {one.left} given back or not touched")
    if one.error:
        out.say(f"{one.queue}: {one.error}")
    elif one.engine == "native" and one.left and not one.interrupted:
        out.say(f"{one.queue}: SQS left {one.left}: it does not know where they came from (--engine client may)")
