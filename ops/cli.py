"""The command line: global options, and one module per command."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ops.commands import (
    events,
    jobs,
    peek_dlq,
    plan_scaling,
    replay_dlq,
    replay_events,
    route,
    scale,
    send,
    status,
    stream,
)
from ops.context import Globals

__all__ = ["app"]

_LOCAL = "local"
_LOCAL_HELP = "The embedded environment on this machine: up, demo, status, logs, down."


class _Group(TyperGroup):
    """Loads `ops local`, which runs the program, only when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), _LOCAL]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name == _LOCAL and _LOCAL not in self.commands:
            return TyperGroup(name=_LOCAL, help=_LOCAL_HELP)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] == _LOCAL and _LOCAL not in self.commands:
            local = importlib.import_module("ops.commands.local")
            self.add_command(typer.main.get_command(local.app), _LOCAL)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Group,
    name="ops",
    help="Operates event-driven systems on ECS and Fargate: dead letters, scaling, events, status.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback()
def main(
    context: typer.Context,
    stack: Annotated[
        str | None, typer.Option(envvar="EDA_STACK", help="The stack whose patterns are meant, e.g. dev.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region; else the profile's or AWS_DEFAULT_REGION.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Another endpoint than AWS, for all services; else AWS_ENDPOINT_URL.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration; else AWS_PROFILE.")] = None,
) -> None:
    context.obj = Globals(stack=stack, region=region, endpoint_url=endpoint_url, profile=profile)


app.command("status")(status.status)
app.command("peek-dlq")(peek_dlq.peek_dlq)
app.command("replay-dlq")(replay_dlq.replay_dlq)
app.command("scale")(scale.scale)
app.command("plan-scaling")(plan_scaling.plan_scaling)
app.command("send")(send.send)
app.command("route")(route.route)
app.command("replay-events")(replay_events.replay_events)
app.add_typer(events.app, name="events")
app.add_typer(stream.app, name="stream")
app.add_typer(jobs.app, name="jobs")
