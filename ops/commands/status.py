"""`ops status`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands.status_streams import STREAM_COLUMNS, show_streams, stream_cells, stream_notes
from ops.context import globals_of
from ops.exit_codes import ExitCode
from ops.output import Format, Output

if TYPE_CHECKING:
    from ops.actions.status import PatternStatus

__all__ = ["status"]


def status(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One pattern of the stack; without it, all.")] = None,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Show every pattern of the stack: queue, dead letters, tasks, bounds, alarms; of streams how far behind they are.

    With NAME also who holds which shard or partition. A part that cannot be read is shown as ?, with the reason on
    stderr and exit code 3.

    \b
    ops --stack dev status
    ops --stack dev status orders --output json
    """
    from ops.actions.queues import QueueDirectory
    from ops.actions.status import read_status
    from ops.manifest import read_pattern, read_patterns

    out = Output(output)
    settings = globals_of(context)
    aws = settings.aws()
    if name is None:
        patterns = list(read_patterns(aws.ssm(), settings.stack).values())
    else:
        patterns = [read_pattern(aws.ssm(), settings.stack, name)]
    found = read_status(aws, QueueDirectory(aws), patterns)
    if out.json:
        out.rows([], [dataclasses.asdict(one) for one in found])
    else:
        columns = ["name", "pattern", "visible", "in_flight", "oldest", "dead_letters", "tasks", "bounds", "alarms"]
        if any(one.stream or one.kafka for one in found):
            columns[-3:-3] = STREAM_COLUMNS
        pairs = zip(found, patterns, strict=True)
        out.rows(columns, [_row(one, bool(pattern.queue), bool(pattern.service)) for one, pattern in pairs])
        if name is not None:
            show_streams(out, found[0])
    for note in [note for one in found for note in stream_notes(one)]:
        out.say(note)
    problems = [problem for one in found for problem in one.problems]
    for problem in problems:
        out.say(problem)
    if problems:
        raise typer.Exit(ExitCode.PARTLY)


def _row(one: PatternStatus, has_queue: bool, has_service: bool) -> dict[str, Any]:
    unknown = "?"
    letters = [f"{name} {unknown if count is None else count}" for name, count in one.dead_letters.items()]
    tasks = f"{one.running}/{one.desired}" if one.running is not None else unknown
    if one.pending:
        tasks += f" (+{one.pending} starting)"
    failed = " ".join(one.problems)
    age = one.oldest_age_seconds
    return {
        "name": one.name,
        "pattern": one.pattern,
        "visible": _or_unknown(one.visible) if has_queue else None,
        "in_flight": _or_unknown(one.in_flight) if has_queue else None,
        "oldest": f"{age:.0f} s" if age is not None else unknown if "oldest message" in failed else None,
        "dead_letters": letters,
        "tasks": tasks if has_service else None,
        **stream_cells(one),
        "bounds": f"{one.min}..{one.max}" if one.min is not None else unknown if "scaling bounds" in failed else None,
        "alarms": one.alarms if one.alarms is not None else unknown if "alarms" in failed else None,
    }


def _or_unknown(value: int | None) -> int | str:
    return "?" if value is None else value
