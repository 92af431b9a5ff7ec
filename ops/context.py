"""What the global options say, handed to every command."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from ops.aws import Aws

__all__ = ["Globals", "globals_of"]


@dataclass(frozen=True)
class Globals:
    """Global options.

    Attributes:
        stack: the stack whose patterns a NAME means; None when neither `--stack` nor EDA_STACK is set.
        region, endpoint_url, profile: as given; None leaves the choice to boto3.
    """

    stack: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None

    def aws(self, connections: int = 64) -> Aws:
        """Clients for these options; `connections` is the size of the pool."""
        return Aws(region=self.region, endpoint_url=self.endpoint_url, profile=self.profile, connections=connections)


def globals_of(context: typer.Context) -> Globals:
    """The global options of the running command."""
    found = context.find_object(Globals)
    return found if found is not None else Globals()
