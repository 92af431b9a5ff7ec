"""`ops events`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.errors import OpsError, UsageError
from ops.exit_codes import ExitCode
from ops.output import Format, Output

__all__ = ["app"]

app = typer.Typer(help="Event files: checked against their schemas, without AWS.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Event files: checked against their schemas, without AWS."""


@app.command("validate")
def validate(
    files: Annotated[list[str], typer.Argument(help="JSON events as `ops send` takes them; - is stdin.")],
    schemas: Annotated[Path | None, typer.Option(help="Folder of the schemas; else contracts/schemas.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="An event without a schema is wrong, too.")] = False,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Check events against the envelope and against the schema of their kind. Nothing is sent.

    \b
    ops events validate order.json more-orders.jsonl
    """
    from ops.actions.schemas import check_events, read_catalogue
    from ops.actions.send import parse_events

    out = Output(output)
    catalogue = read_catalogue(schemas)
    rows: list[dict[str, object]] = []
    wrong = 0
    for file in files:
        try:
            events, _ = parse_events(_read(file))
        except UsageError as error:
            wrong += 1
            rows.append({"file": file, "valid": False, "problem": error.message})
            continue
        for one in check_events(catalogue, events):
            problem = "; ".join(one.problems)
            if not one.known and strict:
                problem = f"there is no schema of {one.event.source}@{one.event.detail_type}"
            wrong += bool(problem)
            rows.append(
                {
                    "file": file,
                    "position": one.position,
                    "detail_type": one.event.detail_type,
                    "schema": one.known,
                    "valid": not problem,
                    "problem": problem or None,
                }
            )
    out.rows(["file", "position", "detail_type", "schema", "valid", "problem"], rows)
    out.say(f"{len(rows) - wrong} of {len(rows)} are valid")
    if wrong:
        raise typer.Exit(ExitCode.ERROR)


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OpsError(f"{file} cannot be read ({error})", exit_code=ExitCode.USAGE) from error
