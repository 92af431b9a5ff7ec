"""`ops route`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.context import globals_of
from ops.errors import OpsError
from ops.exit_codes import ExitCode
from ops.output import Format, Output

__all__ = ["route"]


def route(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A JSON event, as `ops send` takes it; - is stdin.")],
    bus: Annotated[
        str | None, typer.Option(help="The event bus, by name or ARN; else every bus of the stack's patterns.")
    ] = None,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Explain which rules an event matches, and why the others do not. Nothing is sent.

    \b
    ops --stack dev route order.json
    ops route order.json --bus default --output json
    """
    from ops.actions.route import buses_of, sentence
    from ops.actions.route import route as match
    from ops.manifest import read_patterns

    out = Output(output)
    settings = globals_of(context)
    aws = settings.aws()
    document = _read(file)
    buses = {bus: {}} if bus is not None else buses_of(read_patterns(aws.ssm(), settings.stack))
    found = [item for name, owners in buses.items() for item in match(aws.events(), name, document, owners)]
    columns = ["bus", "rule", "pattern", "matches", "enabled", "why"]
    rows = [
        {
            "bus": item.bus,
            "rule": item.rule,
            "pattern": item.pattern,
            "matches": item.matches,
            "enabled": item.enabled,
            "why": item.why,
            "targets": list(item.targets),
            "fields": [{"path": field.path, "matches": field.matches, "why": sentence(field)} for field in item.fields],
        }
        for item in found
    ]
    out.rows(columns, rows)
    delivering = [item for item in found if item.delivers]
    targets = sum(len(item.targets) for item in delivering)
    out.say(f"{len(delivering)} of {len(found)} rules match and would deliver to {targets} targets")


def _read(file: str) -> object:
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(f"{file} cannot be read ({error})", exit_code=ExitCode.USAGE) from error
    except ValueError as error:
        raise OpsError(f"{file} is not JSON ({error})", exit_code=ExitCode.USAGE) from error
