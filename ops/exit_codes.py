"""What the exit status of `ops` says to a script."""

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """Exit statuses; anything that is not `OK` was explained on stderr."""

    OK = 0
    """All done."""
    ERROR = 1
    """Nothing was done, or it is not known what was."""
    USAGE = 2
    """The command line is wrong, or an answer is needed and there is no terminal to ask."""
    PARTLY = 3
    """Something is left; nothing is lost."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; what was in hand was finished or given back."""
