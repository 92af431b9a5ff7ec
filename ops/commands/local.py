"""`ops local …`: the embedded environment. Thin: parse, call `ops.local`, print."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ops.exit_codes import ExitCode
from ops.local.home import PORT_VARIABLE, Home, find_root
from ops.output import Format, Output

__all__ = ["app"]

app = typer.Typer(
    name="local",
    no_args_is_help=True,
    help="The whole system on this machine: no AWS account, no Docker, no Pulumi CLI.",
)

_PortOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        envvar=PORT_VARIABLE,
        show_envvar=True,
        help="Port of the embedded AWS on 127.0.0.1; default: the last one used here, or 4566.",
    ),
]
_OutputOption = Annotated[Format, typer.Option(help="How stdout is written.")]


def _home() -> Home:
    return Home(find_root(Path.cwd()))


@app.command()
def up(
    port: _PortOption = None,
    auth: Annotated[bool, typer.Option("--auth", help="Enforce identity policies, with each task's own role.")] = False,
) -> None:
    """Start the embedded AWS and deploy the stack `local` into it. Example: ops local up --port 4570"""
    from ops.local import environment

    home = _home()
    output = Output()
    result = environment.up(home, port=environment.choose_port(port, home), auth=auth, say=output.say)
    count = sum(result.state.resources.values())
    verb = "already up" if result.reused else "up"
    output.say(f"{verb}: {result.state.endpoint_url} with {count} resources; next: ops local demo")


@app.command()
def down() -> None:
    """Stop the embedded AWS and every task of this checkout. Example: ops local down"""
    from ops.local import environment

    environment.down(_home(), Output().say)


@app.command()
def status(output: _OutputOption = Format.TABLE) -> None:
    """Show whether it runs, and what is in it. Example: ops local status --output json"""
    from ops.local import environment
    from ops.local.account import local_account

    found = environment.status(_home())
    state = found.state
    out = Output(output)
    outputs = dict(state.outputs) if state else {}
    variables = local_account(state) if state else {}
    out.facts(
        {
            "running": state is not None,
            "port": state.port if state else None,
            "endpoint_url": state.endpoint_url if state else None,
            "pid": state.pid if state else None,
            "started": state.started if state else None,
            "tasks": [record.task_id for record in found.tasks],
            "resources": sum(state.resources.values()) if state else 0,
            # A person sees the names; `ops --stack local status` shows what is behind them.
            "outputs": outputs if out.json else sorted(outputs),
            "environment": variables if out.json else 'eval "$(ops local env)"' if state else "",
        }
    )


@app.command()
def env() -> None:
    """Print what points ops, aws and every SDK at the local stack. Example: eval "$(ops local env)"

    Variables of a real account (a profile, a session token) are unset, so that nothing is sent there by mistake.
    """
    from ops.local import environment
    from ops.local.account import local_account

    state = environment.require_running(_home())
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        typer.echo(f"unset {name}")
    for name, value in local_account(state).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def logs(
    name: Annotated[
        str | None, typer.Argument(help="Part of a task's name, or `server` for the embedded AWS itself.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
) -> None:
    """Print what the tasks print, each line behind its task. Example: ops local logs orders --follow"""
    from ops.local.logs import log_lines

    for task, line in log_lines(_home(), name, follow=follow):
        typer.echo(f"{task} | {line}")


@app.command()
def demo(output: _OutputOption = Format.TABLE) -> None:
    """Send events through every pattern and show what became of them. Example: ops local demo --output json"""
    from ops.local import environment
    from ops.local.demo.progress import live_lines
    from ops.local.demo.row import COLUMNS
    from ops.local.demo.run import run_demos
    from ops.local.demo.stage import Stage

    home = _home()
    state = environment.require_running(home)
    out = Output(output)
    with live_lines(out.say) as progress:
        rows = run_demos(Stage.enter(home, state, progress), out.say)
    out.rows(COLUMNS, [asdict(row) | ({} if out.json else {"ok": "yes" if row.ok else "NO"}) for row in rows])
    if not all(row.ok for row in rows):
        raise typer.Exit(ExitCode.ERROR)
