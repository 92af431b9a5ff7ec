"""`ops replay-events`."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ops.context import globals_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Format, Output

if TYPE_CHECKING:
    from ops.actions.replay_events import Plan, ReplayState

__all__ = ["replay_events"]


def replay_events(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A pattern of the stack: its bus, and its rules only. Instead: --bus.")
    ] = None,
    bus: Annotated[str | None, typer.Option(help="The event bus, by name or ARN.")] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="A rule that gets the events; may be given again. Else all of the bus.")
    ] = None,
    archive: Annotated[str | None, typer.Option(help="The archive, when the bus has several.")] = None,
    since: Annotated[
        str, typer.Option(help="Events from this time on: 2026-11-20T10:00Z, or 90m, 24h, 7d ago.")
    ] = "1h",
    until: Annotated[str, typer.Option(help="Events before this time; like --since.")] = "0s",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be replayed; start nothing.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for the end of the replay.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait; the replay itself goes on after it.")] = 3600,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Put archived events on their bus again. Workers that know an event's idempotency key skip it.

    Ctrl-C ends the wait and cancels the replay; what was delivered stays delivered.

    \b
    ops --stack dev replay-events orders --since 24h --dry-run
    ops replay-events --bus pizza-events --rule orders-1a2b3c4 --since 2026-11-20T10:00Z --until 2026-11-20T11:00Z --yes
    """
    from ops.actions.replay_events import cancel, follow, plan_replay, start
    from ops.manifest import read_pattern
    from ops.times import parse_time

    out = Output(output)
    settings = globals_of(context)
    if (bus is None) == (name is None):
        raise UsageError("name a pattern, or the bus with --bus: exactly one of the two")
    if timeout <= 0:
        raise UsageError(f"--timeout {timeout:g}: must be over 0 seconds")
    if not (yes or dry_run or out.interactive):
        raise UsageError("this delivers events again, and there is no terminal to ask", "pass --yes, or --dry-run")
    aws = settings.aws()
    rules = list(rule or [])
    if bus is None:
        assert name is not None
        manifest = read_pattern(aws.ssm(), settings.stack, name)
        if not manifest.rules:
            raise UsageError(f"the pattern {name!r} has no rule", "name the bus with --bus")
        bus = manifest.rules[0].bus
        rules = rules or [item.name for item in manifest.rules if item.bus == bus]
    now = datetime.datetime.now(datetime.UTC)
    plan = plan_replay(aws.events(), bus, rules, parse_time(since, now), parse_time(until, now), archive)
    _announce(out, plan)
    if dry_run:
        out.facts(_facts(plan, None))
        return
    if not yes and not typer.confirm("Deliver them again?", err=True):
        out.say("nothing was replayed")
        return
    with stop_on_signals() as stop:
        replay = start(aws.events(), plan)
        out.say(f"the replay {replay} has started")
        if not wait:
            out.facts({"replay": replay, "state": "STARTING"} | _facts(plan, None))
            return
        state = follow(aws.events(), replay, stop, lambda seen: _tell(out, seen), timeout)
        if stop.is_set() and not state.final:
            cancel(aws.events(), replay)
            out.say(f"the replay {replay} is being cancelled")
    out.facts(_facts(plan, state))
    if state.state != "COMPLETED":
        raise typer.Exit(ExitCode.INTERRUPTED if stop.is_set() else ExitCode.PARTLY)


def _announce(out: Output, plan: Plan) -> None:
    receivers = f"the rules {', '.join(plan.rules)}" if plan.rules else "every rule"
    out.say(
        f"events from {plan.since:%Y-%m-%dT%H:%M:%SZ} to {plan.until:%Y-%m-%dT%H:%M:%SZ} of the archive {plan.archive} "
        f"→ {plan.bus}, {receivers}"
    )


def _tell(out: Output, state: ReplayState) -> None:
    reached = f", up to {state.replayed_until:%Y-%m-%dT%H:%M:%SZ}" if state.replayed_until else ""
    out.say(f"{state.state.lower()}{reached}{f': {state.reason}' if state.reason else ''}")


def _facts(plan: Plan, state: ReplayState | None) -> dict[str, object]:
    facts: dict[str, object] = {} if state is None else {"replay": state.name, "state": state.state}
    return facts | {
        "archive": plan.archive,
        "archived_events": plan.archived,
        "bus": plan.bus,
        "rules": list(plan.rules),
        "since": f"{plan.since:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{plan.until:%Y-%m-%dT%H:%M:%SZ}",
    }
