"""`ops scale`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.context import globals_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Format, Output

if TYPE_CHECKING:
    from ops.actions.scale.change import ChangePlan
    from ops.actions.scale.measure import Measurement
    from ops.actions.scale.state import ScaledService, ScaleState
    from ops.aws import Aws

__all__ = ["scale"]


def scale(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A pattern of the stack.")] = None,
    service: Annotated[str | None, typer.Option(help="Any service, as CLUSTER/SERVICE, instead of NAME.")] = None,
    desired: Annotated[int | None, typer.Option(help="Tasks now; inside the bounds.")] = None,
    minimum: Annotated[int | None, typer.Option("--min", help="Fewest tasks autoscaling keeps.")] = None,
    maximum: Annotated[int | None, typer.Option("--max", help="Most tasks autoscaling starts.")] = None,
    latency: Annotated[float | None, typer.Option(help="Seconds a message may wait; with --processing.")] = None,
    processing: Annotated[float | None, typer.Option(help="Seconds a task works on a message, on average.")] = None,
    headroom: Annotated[
        float | None, typer.Option(help="Share of --latency left to AWS, 0 to 0.9; else the pattern's own, or 0.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Take --processing from the metrics of the last 3 hours.")
    ] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Suspend autoscaling; the tasks stay.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let autoscaling go on.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until as many tasks run as are desired.")] = False,
    timeout: Annotated[float, typer.Option(help="With --wait: seconds; then exit code 3.")] = 600.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change; make none.")] = False,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Show how a service scales, or change it.

    The target of backlog-per-task scaling is floor(latency × (1 - headroom) / processing) messages for each
    running task.

    \b
    ops --stack dev scale orders
    ops --stack dev scale orders --min 2 --max 20 --latency 60 --processing 2
    ops --stack dev scale orders --latency 300 --measure
    ops scale --service my-cluster/my-service --pause --desired 4 --wait
    """
    from ops.actions.scale.change import ChangePlan, ScaleRequest, apply, plan
    from ops.actions.scale.measure import measure_processing
    from ops.actions.scale.state import read_state

    if pause and resume:
        raise UsageError("--pause and --resume exclude each other")
    if measure and processing is not None:
        raise UsageError("--measure and --processing exclude each other: one measures what the other gives")
    if timeout <= 0:
        raise UsageError(f"--timeout {timeout:g}: must be over 0 seconds")
    out = Output(output)
    aws = globals_of(context).aws()
    target = _service(context, aws, name, service)
    measured = measure_processing(aws, target) if measure else None
    if measured:
        _tell_measured(out, target, measured)
        processing = measured.processing_seconds if latency is not None else None
    request = ScaleRequest(
        desired=desired,
        min=minimum,
        max=maximum,
        latency_seconds=latency,
        processing_seconds=processing,
        headroom=headroom,
        paused=True if pause else False if resume else None,
    )
    state = read_state(aws, target)
    changes = ChangePlan() if request.empty else plan(state, request)
    for change in changes.changes:
        out.say(f"{target.name}: {change.setting} {change.before} → {change.after}{' (dry run)' if dry_run else ''}")
    if not request.empty and not changes.changes:
        out.say(f"{target.name}: nothing to change")
    for note in changes.notes:
        out.say(note)
    steady: bool | None = None
    interrupted = False
    if changes.changes and not dry_run:
        apply(aws, state, changes)
    if wait and not dry_run:
        steady, interrupted = _wait(out, aws, target, timeout)
    if not dry_run and (changes.changes or wait):
        state = read_state(aws, target)
    _print(out, state, changes, steady, dry_run, measured)
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if steady is False:
        out.say(f"{target.name} is not steady after {timeout:g} s; it may still become so")
        raise typer.Exit(ExitCode.PARTLY)


def _service(context: typer.Context, aws: Aws, name: str | None, service: str | None) -> ScaledService:
    from ops.actions.scale.state import service_of, service_of_pattern
    from ops.manifest import read_pattern

    if (name is None) == (service is None):
        raise UsageError(
            "name a pattern of the stack, or a service with --service: exactly one of the two",
            "`ops --stack dev scale orders`, or `ops scale --service CLUSTER/SERVICE`",
        )
    if service is not None:
        return service_of(service)
    assert name is not None
    return service_of_pattern(read_pattern(aws.ssm(), globals_of(context).stack, name))


def _wait(out: Output, aws: Aws, target: ScaledService, timeout: float) -> tuple[bool, bool]:
    from ops.actions.scale.wait import wait_until_steady

    with stop_on_signals() as stop:
        steady = wait_until_steady(
            aws,
            target,
            timeout,
            stop,
            lambda counts: out.say(f"{target.name}: {counts.running} of {counts.desired} tasks run"),
        )
        return steady, stop.is_set()


def _tell_measured(out: Output, target: ScaledService, measured: Measurement) -> None:
    at_most = "at most " if measured.upper_bound else ""
    why = "; messages never waited for long, so it is taken from those in flight" if measured.upper_bound else ""
    out.say(
        f"{target.name}: a task spends {at_most}{measured.processing_seconds:g} s on a message, measured over "
        f"{measured.minutes} minutes and {measured.messages:,} messages{why}"
    )


def _print(
    out: Output,
    state: ScaleState,
    changes: ChangePlan,
    steady: bool | None,
    dry_run: bool,
    measured: Measurement | None,
) -> None:
    for problem in state.problems:
        out.say(f"{state.service.name}: {problem}")
    facts: dict[str, Any] = {
        "cluster": state.service.cluster,
        "service": state.service.name,
        "visible": state.visible,
        "in_flight": state.in_flight,
        "oldest_age_seconds": state.oldest_age_seconds,
        "running": state.tasks.running,
        "desired": state.tasks.desired,
        "pending": state.tasks.pending,
        "min": state.bounds.min if state.bounds else None,
        "max": state.bounds.max if state.bounds else None,
        "paused": state.bounds.paused if state.bounds else None,
        "target": state.target,
        "policies": [policy["PolicyName"] for policy in state.policies],
        **({"measured_processing_seconds": measured.processing_seconds} if measured else {}),
    }
    if out.json:
        lists = {"activities": state.activities, "changes": changes.changes}
        out.object({**facts, **lists, "dry_run": dry_run, "steady": steady})
        return
    out.facts(facts)
    if state.activities:
        rows = [{"at": one.at, "status": one.status, "what": one.what, "why": one.why} for one in state.activities]
        out.rows(["at", "status", "what", "why"], rows)
