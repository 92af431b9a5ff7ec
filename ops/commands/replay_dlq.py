"""`ops replay-dlq`."""

from __future__ import annotations

import dataclasses
import os
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands.replay_report import print_report, replay_outside_sqs
from ops.commands.replay_request import check_backup, check_ranges, parse_selection, refuse_beside_resume
from ops.context import globals_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Format, Output

if TYPE_CHECKING:
    from ops.actions.replay.client_engine import Progress
    from ops.actions.replay.options import Engine, ReplayOptions, Source

__all__ = ["replay_dlq"]


def replay_dlq(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A pattern of the stack: all of its dead-letter queues that hold something.")
    ] = None,
    dlq_url: Annotated[str | None, typer.Option(help="One queue by its URL, instead of NAME.")] = None,
    dlq: Annotated[
        str | None, typer.Option(help="With NAME: only its dead-letter queue, or topic, of this name.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="URL of the queue all messages go to, instead of where each belongs.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="Only messages for which this JMESPath expression holds: error == 'KeyError'.")
    ] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="Only this message; may be given again.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only messages first sent from this time on: 2026-11-20T10:00Z, or 2h, 7d ago."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only messages first sent before this time; like --since.")] = None,
    max_messages: Annotated[int | None, typer.Option("--max", help="Stop after so many messages.")] = None,
    rate: Annotated[float | None, typer.Option(help="Messages per second, at most.")] = None,
    ramp_up: Annotated[
        float, typer.Option(help="With --rate: seconds in which the pace grows from a tenth of it to all of it.")
    ] = 0,
    edit: Annotated[
        str | None, typer.Option(help="JSON merge patch (RFC 7396) for each body, or @FILE with one.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Send, and leave the messages here, too.")] = False,
    backup: Annotated[
        Path | None, typer.Option(help="New file for every message that is sent: JSON lines, on disk before the send.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go where; move nothing.")] = False,
    max_replays: Annotated[
        int | None, typer.Option(help="Refuse a message that was replayed this often already; default 3.")
    ] = None,
    max_failures: Annotated[int | None, typer.Option(help="End the run after so many failures.")] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this unfinished run (its id), with all that it was asked for.")
    ] = None,
    list_runs: Annotated[bool, typer.Option("--list-runs", help="Show the unfinished runs, and do nothing.")] = False,
    engine: Annotated[
        str, typer.Option(help="client (this program), native (SQS's StartMessageMoveTask), or auto.")
    ] = "auto",
    concurrency: Annotated[int, typer.Option(help="Batches in flight, at most: 1 to 256.")] = 64,
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
    ops --stack dev replay-dlq orders --where "error == 'KeyError' && body.detail.city == 'Perth'" --dry-run
    ops --stack dev replay-dlq orders --since 2h --edit '{"detail": {"region": "WA"}}' --backup before.jsonl
    ops replay-dlq --dlq-url https://sqs…/orders-dlq --to https://sqs…/orders --rate 50 --ramp-up 60 --yes --output json
    ops --stack dev replay-dlq billing --dlq orders.billing.dead-letters
    ops replay-dlq --resume 20261127T004318Z-b16e8f6b
    """
    from ops.actions.dead_letters import dead_letter_sources, outside_sqs
    from ops.actions.queues import QueueDirectory
    from ops.actions.replay.choice import beyond_sqs, choose_engine
    from ops.actions.replay.journal_store import state_directory
    from ops.actions.replay.merge_patch import read_patch
    from ops.actions.replay.options import Engine, ReplayOptions, Source
    from ops.actions.replay.resume import resumed, unfinished_run, unfinished_runs
    from ops.actions.replay.run import check_destination, replay
    from ops.manifest import read_pattern
    from ops.progress import show_progress

    out = Output(output)
    settings = globals_of(context)
    journals = journal_dir or state_directory(os.environ) / "replay"
    if list_runs:
        rows = [dataclasses.asdict(run) for run in unfinished_runs(journals)]
        columns = ["run_id", "queue", "started", "ended", "moved", "sent", "unknown", "held_seconds"]
        out.rows(columns, rows)
        if not rows:
            out.say(f"no unfinished run in {journals}")
        return
    if engine not in list(Engine):
        raise UsageError(f"--engine {engine}: not an engine", f"one of {', '.join(Engine)}")
    check_ranges(
        rate=rate,
        ramp_up=ramp_up,
        max_messages=max_messages,
        max_replays=max_replays,
        max_failures=max_failures,
        concurrency=concurrency,
    )
    options = ReplayOptions(
        to=to,
        selection=parse_selection(where, ids, since, until),
        rate=rate,
        ramp_up_seconds=ramp_up,
        engine=Engine(engine),
        max_messages=max_messages,
        max_replays=max_replays,
        max_failures=max_failures,
        edit=None if edit is None else read_patch(edit),
        copy=copy,
        backup=backup,
        concurrency=concurrency,
        dry_run=dry_run,
        journal_directory=journals,
    )
    run = None
    if resume is not None:
        selecting = {"where": where, "id": ids, "since": since, "until": until, "max": max_messages}
        refuse_beside_resume(
            name=name, dlq_url=dlq_url, dlq=dlq, to=to, edit=edit, copy=copy, backup=backup, **selecting
        )
        run = unfinished_run(journals, resume)
        options = resumed(run, options)
    else:
        check_backup(backup)
    if options.ramp_up_seconds and options.rate is None:
        raise UsageError("--ramp-up needs the --rate that it leads to")
    if options.engine is Engine.NATIVE and (reason := beyond_sqs(options)):
        raise UsageError(f"--engine native: {reason}", "use --engine client, or auto")
    if not (yes or dry_run or out.interactive):
        raise UsageError(
            "this moves messages, and there is no terminal to ask whether it may", "pass --yes, or --dry-run"
        )

    aws = settings.aws(connections=concurrency + 16)
    directory = QueueDirectory(aws)
    # With the URLs of both queues no manifest is read, and no client of SSM is needed.
    read = cache(lambda pattern: read_pattern(aws.ssm(), settings.stack, pattern))
    if (elsewhere := outside_sqs(read, None if dlq_url else name, dlq)) is not None:
        replay_outside_sqs(out, aws, elsewhere, name or "", options, yes=yes)
    if run is None:
        found = dead_letter_sources(directory, read, name, dlq_url, dlq)
    else:
        found = [Source(directory.read(run.request["dlq_url"]), run.request["manifest_origin"])]
    check_destination(directory, found, options.to)
    by_name = name is not None
    sources = [source for source in found if not by_name or source.queue.visible or source.queue.in_flight]
    plan = [(source, *choose_engine(directory, source, options)) for source in sources]
    for source, chosen, why in plan:
        _announce(out, source, chosen, why, options)
    if not plan:
        out.say(f"nothing to replay: the dead-letter queues of {name} are empty")
    elif not (yes or dry_run) and not typer.confirm(f"{'Copy' if options.copy else 'Move'} them?", err=True):
        out.say("nothing was moved")
        raise typer.Exit(ExitCode.OK)

    with stop_on_signals() as stop, ExitStack() as stack:

        def progress_of(source: Source) -> Progress:
            stack.close()  # the queue before it is done
            return stack.enter_context(show_progress(out, source.queue.name))

        report = replay(
            aws,
            directory,
            [(source, chosen) for source, chosen, _ in plan],
            options,
            stop,
            progress_of,
            out.say,
        )
    print_report(out, report)
    raise typer.Exit(report.exit_code())


def _announce(out: Output, source: Source, engine: Engine, why: str, options: ReplayOptions) -> None:
    from ops.actions.queues import name_of

    queue = source.queue
    where = name_of(options.to) if options.to else "each where it belongs"
    filtered = "" if options.selection.everything else ", those that the filters select"
    copied = ", and they stay here, too" if options.copy else ""
    out.say(f"{queue.name}: {queue.visible} messages{filtered} → {where}{copied}; engine {engine} ({why})")
    if queue.in_flight:
        out.say(
            f"{queue.name}: {queue.in_flight} more are in flight: another consumer, or an interrupted run, holds them"
        )
    if queue.redrive_target_arn:
        out.say(
            f"{queue.name} has a dead-letter queue of its own ({queue.redrive_target_arn.rsplit(':', 1)[-1]}): what is "
            f"given back was received once more, and moves there after {queue.max_receive_count} receives"
        )
