"""One line of the demo's result."""

from __future__ import annotations

from dataclasses import dataclass, fields

from contracts.manifest import PatternManifest

__all__ = ["COLUMNS", "Row"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What went through one pattern.

    Attributes:
        name: the pattern's name in the stack's settings.
        pattern: its kind, e.g. ``queue-worker``.
        path: the stations, e.g. ``bus → rule → queue → task``.
        sent: events published, copies and strangers included.
        processed: events whose effect happened, exactly once each.
        dead_lettered: events that the handler refused for good.
        replayed: messages moved back out of the dead-letter queues.
        seconds: from the first event sent to the end.
        ok: everything that should have happened did.
        note: what else is worth knowing; the reason when it is not ok.
    """

    name: str
    pattern: str
    path: str
    sent: int
    processed: int
    dead_lettered: int
    replayed: int
    seconds: float
    ok: bool
    note: str

    @classmethod
    def failed(cls, manifest: PatternManifest, *, seconds: float, note: str) -> Row:
        """The row of a demo that could not go on."""
        return cls(
            name=manifest.name,
            pattern=manifest.pattern,
            path="",
            sent=0,
            processed=0,
            dead_lettered=0,
            replayed=0,
            seconds=round(seconds, 1),
            ok=False,
            note=note,
        )


COLUMNS = tuple(field.name for field in fields(Row))
