"""`ops send`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.context import globals_of
from ops.errors import OpsError, UsageError
from ops.exit_codes import ExitCode
from ops.output import Format, Output

if TYPE_CHECKING:
    from contracts.events import Event

__all__ = ["send"]


def send(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A JSON event, a list of events, or one event per line; - is stdin.")],
    bus: Annotated[str | None, typer.Option(help="The event bus, by name or ARN.")] = None,
    pattern: Annotated[str | None, typer.Option(help="A pattern of the stack, whose bus is used.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="For events without a key: send again with the same and it is handled once.")
    ] = None,
    check_schemas: Annotated[
        bool, typer.Option(help="Refuse events that do not obey the schema of their kind.")
    ] = True,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Publish events on an event bus. All are checked before the first one is sent.

    \b
    ops --stack dev send order.json --pattern orders
    echo '{"source": "pizza.service.com", "detail-type": "OrderCreated", "detail": {"data": {}}}' | ops send - --bus b
    """
    from ops.actions.send import parse_events, send_events
    from ops.manifest import read_pattern

    if (bus is None) == (pattern is None):
        raise UsageError("name the bus with --bus, or a pattern with --pattern: exactly one of the two")
    out = Output(output)
    settings = globals_of(context)
    aws = settings.aws()
    events, made_up = parse_events(_read(file), idempotency_key)
    if check_schemas:
        _check(events)
    if made_up:
        out.say(
            f"{made_up} of {len(events)} events had no idempotency key and got a random one: sending the input again "
            "would be handled again (--idempotency-key KEY prevents that)"
        )
    if bus is None:
        assert pattern is not None
        manifest = read_pattern(aws.ssm(), settings.stack, pattern)
        if manifest.bus is None:
            raise UsageError(f"the pattern {pattern!r} has no event bus", "name one with --bus")
        bus = manifest.bus.name
    report = send_events(aws.events(), bus, events)
    rows = [
        {
            "position": position,
            "detail_type": event.detail_type,
            "idempotency_key": event.idempotency_key,
            "event_id": report.sent.get(position),
            "error": report.failed.get(position),
        }
        for position, event in enumerate(events, 1)
    ]
    out.rows(["position", "detail_type", "idempotency_key", "event_id", "error"], rows)
    out.say(f"{len(report.sent)} of {len(events)} events are on {bus}")
    if report.failed:
        raise typer.Exit(ExitCode.PARTLY if report.sent else ExitCode.ERROR)


def _check(events: list[Event]) -> None:
    from ops.actions.schemas import check_events, read_catalogue

    wrong = [one for one in check_events(read_catalogue(), events) if one.problems]
    if wrong:
        raise UsageError(
            "; ".join(f"event {one.position}: {problem}" for one in wrong for problem in one.problems),
            "nothing was sent; correct the events (or their schema in contracts/schemas), or pass --no-check-schemas",
        )


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(f"{file} cannot be read ({error})", exit_code=ExitCode.USAGE) from error
