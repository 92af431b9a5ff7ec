"""`ops jobs run`, `list`, `show` and `stop`."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.context import globals_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Format, Output

if TYPE_CHECKING:
    from contracts.job_table import Job
    from contracts.manifest import PatternManifest
    from ops.aws import Aws

__all__ = ["app"]

app = typer.Typer(name="jobs", help="Tracked jobs: run, list, show, stop.", no_args_is_help=True, rich_markup_mode=None)

_Output = Annotated[Format, typer.Option(help="How stdout is written.")]
_Timeout = Annotated[float, typer.Option(help="With --wait: seconds; then exit code 3.")]


@app.command("run")
def run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A pattern of the stack of the kind job.")],
    env: Annotated[
        list[str] | None, typer.Option("--env", help="A variable for the task, NAME=VALUE; repeat it.")
    ] = None,
    data: Annotated[str, typer.Option(help="A JSON object: detail.data of the event that the handler gets.")] = "{}",
    token: Annotated[
        str | None, typer.Option(help="Running again with the same token is the same job; else a random one.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until the job has ended; exit code 0 only if it succeeded.")
    ] = False,
    timeout: _Timeout = 3600.0,
    output: _Output = Format.TABLE,
) -> None:
    """Create a job: a task with these variables, at most once for a token.

    \b
    ops --stack dev jobs run reports --env MONTH=2026-11 --wait
    ops --stack dev jobs run reports --data '{"month": "2026-11"}' --token reports-2026-11
    """
    from ops.actions.jobs.creating import create_job, parse_data, parse_environment
    from ops.actions.jobs.reading import read_job

    environment, document = parse_environment(env or []), parse_data(data)
    _check(timeout)
    out, aws = Output(output), globals_of(context).aws()
    pattern = _patterns(context, aws, name)[0]
    token = token or str(uuid.uuid4())
    created = create_job(aws, pattern, environment=environment, data=document, token=token)
    known = "" if created.new else ", which this token had created before"
    out.say(f"{name}: job {created.job_id}{known}")
    if not created.launched:
        out.say(f"{name}: no task yet, and it will be tried again each minute: {created.problem}")
    if wait:
        _follow(out, aws, pattern, created.job_id, timeout)
        return
    job = read_job(aws, pattern, created.job_id)
    if job is not None:
        _show(out, job)
    if not created.launched:
        raise typer.Exit(ExitCode.PARTLY)


@app.command("list")
def list_(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="One pattern of the stack; without it, all of the kind job.")
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", help="Only jobs in this state, e.g. FAILED; repeat it for more.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Created since then: 2026-11-20T10:00Z, or how long ago: 90m, 24h, 7d.")
    ] = "7d",
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 100,
    output: _Output = Format.TABLE,
) -> None:
    """List jobs, the newest first.

    \b
    ops --stack dev jobs list
    ops --stack dev jobs list reports --status FAILED --since 2h --output json
    """
    from contracts.jobs import JobState
    from ops.actions.jobs.reading import list_jobs
    from ops.times import parse_time

    states = [state for state in JobState if not status or state.value in {word.upper() for word in status}]
    unknown = [word for word in status or [] if word.upper() not in list(JobState)]
    if unknown:
        raise UsageError(f"--status {unknown[0]}: not a state", f"one of {', '.join(JobState)}")
    if limit < 1:
        raise UsageError(f"--limit {limit}: must be 1 or more")
    moment = parse_time(since, datetime.now(UTC))
    out, aws = Output(output), globals_of(context).aws()
    jobs = list_jobs(aws, _patterns(context, aws, name), states, moment, limit)
    columns = ["job_id", "pattern", "state", "created_at", "seconds", "exit_codes", "reason"]
    out.rows(columns, [dataclasses.asdict(job) for job in jobs] if out.json else [_row(job) for job in jobs])
    if not jobs:
        out.say(f"no job since {moment:%Y-%m-%dT%H:%MZ}")


@app.command("show")
def show(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.")],
    output: _Output = Format.TABLE,
) -> None:
    """Show all that is known of a job.

    \b
    ops --stack dev jobs show j-0a1b2c3d4e5f60718293a4b5c6d7e8f9
    """
    from ops.actions.jobs.reading import find_job

    out, aws = Output(output), globals_of(context).aws()
    _show(out, find_job(aws, _patterns(context, aws), job_id).job)


@app.command("stop")
def stop(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded with who you are.")] = "stopped with ops",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until the job has ended.")] = False,
    timeout: _Timeout = 300.0,
    output: _Output = Format.TABLE,
) -> None:
    """End a job's task: SIGTERM, and SIGKILL after its stop timeout. A job that has ended stays as it is.

    \b
    ops --stack dev jobs stop j-0a1b2c3d4e5f60718293a4b5c6d7e8f9 --reason "wrong month" --yes --wait
    """
    from ops.actions.jobs.following import follow
    from ops.actions.jobs.reading import find_job
    from ops.actions.jobs.stopping import stop_job

    _check(timeout)
    out, aws = Output(output), globals_of(context).aws()
    if not (yes or out.interactive):
        raise UsageError("this ends a task, and there is no terminal to ask", "pass --yes")
    found = find_job(aws, _patterns(context, aws), job_id)
    if found.job.state.final:
        out.say(f"{job_id} has ended already: {found.job.state}")
        _show(out, found.job)
        return
    if not yes and not typer.confirm(f"Stop {job_id}, which is {found.job.state}?", err=True):
        out.say("nothing was stopped")
        return
    job = stop_job(aws, found, reason)
    interrupted = False
    if wait:
        with stop_on_signals() as signalled:
            job = follow(aws, found.pattern, job_id, signalled, lambda now: _tell(out, now), timeout)
            interrupted = signalled.is_set()
    _show(out, job)
    if wait and not job.state.final:
        raise typer.Exit(ExitCode.INTERRUPTED if interrupted else ExitCode.PARTLY)


def _follow(out: Output, aws: Aws, pattern: PatternManifest, job_id: str, timeout: float) -> None:
    """Until the end, with an exit code that says how it was."""
    from contracts.jobs import JobState
    from ops.actions.jobs.following import follow

    with stop_on_signals() as signalled:
        job = follow(aws, pattern, job_id, signalled, lambda now: _tell(out, now), timeout)
        interrupted = signalled.is_set()
    _show(out, job)
    if job.state is JobState.SUCCEEDED:
        return
    if job.state.final:
        raise typer.Exit(ExitCode.ERROR)
    out.say(f"{job_id} is {job.state} and goes on; `ops jobs show {job_id}`")
    raise typer.Exit(ExitCode.INTERRUPTED if interrupted else ExitCode.PARTLY)


def _patterns(context: typer.Context, aws: Aws, name: str | None = None) -> list[PatternManifest]:
    from ops.actions.jobs.reading import job_patterns
    from ops.manifest import read_patterns

    return job_patterns(read_patterns(aws.ssm(), globals_of(context).stack), name)


def _check(timeout: float) -> None:
    if timeout <= 0:
        raise UsageError(f"--timeout {timeout:g}: must be over 0 seconds")


def _tell(out: Output, job: Job) -> None:
    codes = "".join(f", {name} exited {code}" for name, code in job.exit_codes.items())
    reason = f" ({job.reason})" if job.reason else ""
    out.say(f"{job.job_id}: {job.state}{codes}{reason}")


def _row(job: Job) -> dict[str, Any]:
    begun, ended = job.started_at or job.created_at, job.stopped_at
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds() if ended else None
    return {
        "job_id": job.job_id,
        "pattern": job.pattern,
        "state": job.state,
        "created_at": job.created_at,
        "seconds": seconds,
        "exit_codes": [str(code) for code in job.exit_codes.values()],
        "reason": job.reason or job.launch_error,
    }


def _show(out: Output, job: Job) -> None:
    facts = dataclasses.asdict(job)
    if not out.json:
        facts["exit_codes"] = [f"{name} {code}" for name, code in job.exit_codes.items()]
        facts["container_reasons"] = [f"{name}: {why}" for name, why in job.container_reasons.items()]
    out.facts(facts)
