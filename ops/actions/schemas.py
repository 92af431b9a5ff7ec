"""Checks events against the schemas of their kinds, before they are sent or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.events import Event
from ops.errors import OpsError

if TYPE_CHECKING:
    from event_schemas import Catalogue

__all__ = ["Checked", "check_events", "read_catalogue"]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One event's result.

    Attributes:
        position: in the input, from 1.
        event: which.
        known: whether there is a schema of its kind.
        problems: what its schema refuses.
    """

    position: int
    event: Event
    known: bool
    problems: tuple[str, ...]


def read_catalogue(folder: Path | None = None) -> Catalogue:
    """The schemas of a folder; None is this project's ``contracts/schemas``.

    Raises:
        OpsError: the folder has no schema, or one that cannot be used.
    """
    from event_schemas import FOLDER, Catalogue, SchemaError

    try:
        catalogue = Catalogue.read(folder or FOLDER)
    except SchemaError as error:
        raise OpsError(str(error), "correct the schema") from error
    if folder is not None and not catalogue.schemas:
        raise OpsError(f"{folder} holds no schema (*.json)", "name the folder with --schemas")
    return catalogue


def check_events(catalogue: Catalogue, events: Sequence[Event]) -> list[Checked]:
    """Each event against the schema of its source and detail-type."""
    return [
        Checked(position=position, event=event, known=catalogue.knows(event), problems=tuple(catalogue.problems(event)))
        for position, event in enumerate(events, 1)
    ]
