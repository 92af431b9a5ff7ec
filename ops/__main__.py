"""`ops`, also as `python -m ops`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ops.errors import OpsError, explain
from ops.exit_codes import ExitCode

__all__ = ["main"]

_GLOBAL_OPTIONS = ("--stack", "--region", "--endpoint-url", "--profile")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code. Nothing that goes wrong ends in a traceback.

    Args:
        arguments: without the program's name; None takes the process's own.
    """
    from ops.cli import app

    words = with_global_options_first(sys.argv[1:] if arguments is None else list(arguments))
    try:
        app(args=words, prog_name="ops")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else ExitCode.OK if ended.code is None else ExitCode.ERROR
    except OpsError as error:
        return _tell(error)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout is gone: that is how `ops … | head` ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        if os.environ.get("EDA_DEBUG"):
            raise
        return _tell(explain(error))
    return ExitCode.OK


def with_global_options_first(words: list[str]) -> list[str]:
    """Global options are understood after the command's name too: `ops status --stack dev`."""
    if "local" in words[:1]:
        return words
    first: list[str] = []
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            rest += words[position:]
            break
        if word in _GLOBAL_OPTIONS and position + 1 < len(words):
            first += words[position : position + 2]
            position += 2
            continue
        (first if word.startswith(tuple(f"{name}=" for name in _GLOBAL_OPTIONS)) else rest).append(word)
        position += 1
    return first + rest


def _tell(error: OpsError) -> int:
    print(f"Error: {error.message}", file=sys.stderr)  # noqa: T201 - the last place that talks
    if error.hint:
        print(f"  Try: {error.hint}", file=sys.stderr)  # noqa: T201
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
