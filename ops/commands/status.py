"""`ops status`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands.status_streams import STREAM_COLUMNS, TableRows, stream_cells, stream_notes, stream_tables
from ops.commands.status_watch import View, watch_view
from ops.context import globals_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.output import Format, Output

if TYPE_CHECKING:
    from contracts.manifest import PatternManifest
    from ops.actions.status import PatternStatus

__all__ = ["status"]


def status(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One pattern of the stack; without it, all.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    interval: Annotated[
        float | None, typer.Option(help="With --watch: seconds between two readings, 1 to 3600; default 5.")
    ] = None,
    output: Annotated[
        Format, typer.Option(help="How stdout is written; json with --watch: an object on a line for each reading.")
    ] = Format.TABLE,
) -> None:
    """Show every pattern of the stack: queue, dead letters, tasks, bounds, alarms; of streams how far behind they are.

    With NAME also who holds which shard or partition. A part that cannot be read is shown as ?, with the reason on
    stderr and exit code 3.

    \b
    ops --stack dev status
    ops --stack dev status orders --output json
    ops --stack dev status --watch --interval 10
    """
    from ops.actions.queues import QueueDirectory
    from ops.actions.status import read_status
    from ops.manifest import read_pattern, read_patterns

    if interval is not None and not watch:
        raise UsageError("--interval needs --watch: without it there is one reading")
    if interval is not None and not 1 <= interval <= 3600:
        raise UsageError(f"--interval is {interval:g}; allowed are 1 to 3600 seconds")
    out = Output(output)
    settings = globals_of(context)
    aws = settings.aws()

    def read() -> View:
        # The manifests each time, too: a deploy may add a pattern while somebody watches.
        if name is None:
            patterns = list(read_patterns(aws.ssm(), settings.stack).values())
        else:
            patterns = [read_pattern(aws.ssm(), settings.stack, name)]
        found = read_status(aws, QueueDirectory(aws), patterns)
        return View(
            data=[dataclasses.asdict(one) for one in found],
            tables=_tables(found, patterns, details=name is not None),
            notes=[note for one in found for note in stream_notes(one)],
            problems=[problem for one in found for problem in one.problems],
        )

    if watch:
        raise typer.Exit(watch_view(out, read, interval or 5))
    view = read()
    if out.json:
        out.rows([], view.data)
    else:
        for table in view.tables:
            out.rows(*table)
    for line in (*view.notes, *view.problems):
        out.say(line)
    if view.problems:
        raise typer.Exit(ExitCode.PARTLY)


def _tables(found: Sequence[PatternStatus], patterns: Sequence[PatternManifest], *, details: bool) -> list[TableRows]:
    columns = ["name", "pattern", "visible", "in_flight", "oldest", "dead_letters", "tasks", "bounds", "alarms"]
    if any(one.stream or one.kafka for one in found):
        columns[-3:-3] = STREAM_COLUMNS
    if any(pattern.jobs for pattern in patterns):
        columns.insert(columns.index("alarms"), "jobs")
    if any(pattern.state_machine for pattern in patterns):
        columns.insert(columns.index("dead_letters"), "executions")
    rows = [_row(one, pattern) for one, pattern in zip(found, patterns, strict=True)]
    return [(columns, rows, ""), *(stream_tables(found[0]) if details else [])]


def _row(one: PatternStatus, pattern: PatternManifest) -> dict[str, Any]:
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
        "visible": _or_unknown(one.visible) if pattern.queue or pattern.broker else None,
        "in_flight": _or_unknown(one.in_flight) if pattern.queue else None,
        "oldest": f"{age:.0f} s" if age is not None else unknown if "oldest message" in failed else None,
        "dead_letters": letters,
        "tasks": tasks if pattern.service else None,
        **stream_cells(one),
        "jobs": _jobs(one),
        "executions": _executions(one),
        "bounds": f"{one.min}..{one.max}" if one.min is not None else unknown if "scaling bounds" in failed else None,
        "alarms": one.alarms if one.alarms is not None else unknown if "alarms" in failed else None,
    }


def _jobs(one: PatternStatus) -> list[str] | str | None:
    if one.jobs is not None:
        return [f"{state} {count}" for state, count in one.jobs.items()]
    return "?" if "its jobs" in " ".join(one.problems) else None


def _executions(one: PatternStatus) -> list[str] | str | None:
    if (counts := one.executions) is None:
        return "?" if "its executions" in " ".join(one.problems) else None
    shown = {"running": counts.running, "failed": counts.failed, "timed out": counts.timed_out}
    return [f"{state} {count}" for state, count in shown.items() if count or state == "running"]


def _or_unknown(value: int | None) -> int | str:
    return "?" if value is None else value
