"""``python -m worker <source>``: the container's entry point."""

from __future__ import annotations

import logging
import os
import sys

from worker import handler, logs, schemas, settings, sources
from worker.errors import SettingsError
from worker.exit_codes import ExitCode
from worker.stopping import Stop

__all__ = ["main"]


def main(arguments: list[str]) -> ExitCode:
    """Run one source until it is told to stop."""
    if len(arguments) != 1 or arguments[0] not in sources.SOURCES:
        given = " ".join(arguments) or "nothing"
        print(f"worker: got {given!r}; allowed: one source of {', '.join(sources.SOURCES)}", file=sys.stderr)  # noqa: T201
        return ExitCode.USAGE
    # Before anything that takes time: Linux does not deliver to process 1 a signal that it has no handler for.
    stop = Stop()
    stop.listen()
    try:
        configuration = settings.read(os.environ, arguments[0])
        logs.configure(configuration.log_level, configuration.pattern)
        function = handler.load(configuration.handler)
        if configuration.check_schemas:
            function = schemas.checked(function)
        return sources.find(arguments[0])(configuration, function, stop)
    except SettingsError as error:
        for line in error.lines:
            print(f"worker: {line}", file=sys.stderr)  # noqa: T201
        return ExitCode.USAGE


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code is ExitCode.UNFINISHED:
        # A handler is still running in its thread; nothing else would end it.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
