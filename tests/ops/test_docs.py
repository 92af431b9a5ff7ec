"""docs/ops.md documents every command and every option, and nothing that does not exist."""

from __future__ import annotations

import re

import typer

from ops.cli import app
from tests.emulator import ROOT

_TEXT = (ROOT / "docs" / "ops.md").read_text()
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+)")
_EVERYWHERE = {"--help", "--install-completion", "--show-completion"}


def _options() -> dict[str, set[str]]:
    """Options by command; the global ones under an empty name. `local` has a page of its own."""
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]  # a group, which typer does not say
    named = {"": group}
    for name, command in commands.items():
        inner = {f"{name} {word}": one for word, one in getattr(command, "commands", {}).items()}
        named |= {} if name == "local" else inner or {name: command}
    return {
        name: {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")} - _EVERYWHERE
        for name, command in named.items()
    }


def _section(command: str) -> str:
    title = f"## ops {command}" if command else "## Global options"
    assert f"\n{title}\n" in _TEXT, f"docs/ops.md has no section {title!r}"
    return _TEXT.split(f"\n{title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_command_and_option_is_documented_with_an_example() -> None:
    options = _options()
    assert set(options) == {
        *(
            "",
            "status",
            "peek-dlq",
            "replay-dlq",
            "scale",
            "plan-scaling",
            "send",
            "route",
            "replay-events",
            "events validate",
            "stream tail",
            "jobs run",
            "jobs list",
            "jobs show",
            "jobs stop",
        )
    }
    for command, flags in options.items():
        section = _section(command)
        rows = set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))
        assert rows == flags, f"ops {command}"
        if command:
            assert re.search(rf"^\s*(?:.*\| )?ops .*{command}", section, re.MULTILINE), f"no example of ops {command}"


def test_every_option_that_is_mentioned_exists() -> None:
    known = set().union(*_options().values()) | _EVERYWHERE
    known |= {option.replace("--", "--no-", 1) for option in ("--check-schemas", "--wait")}  # to turn a default off
    assert set(_OPTION.findall(_TEXT)) - known == set()
