"""A message in hand, and what shall become of it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.messages import Failure

if TYPE_CHECKING:
    from worker.sources.broker.link import Link

__all__ = ["Acknowledge", "DeadLetter", "Disposition", "GiveBack", "Message", "Park"]


@dataclass(kw_only=True, eq=False)
class Message:
    """One delivery.

    Attributes:
        id: as the producer or the broker gave it; for the log.
        body: as it came, so that a dead letter is the same.
        receive_count: attempts so far, this one included; grows when a message is tried again without leaving the hand.
        group: messages of one group are handled in order, one at a time; None is a message of its own.
        link: the connection it came over, and the only one over which it can be settled.
        delivery: what the link needs to settle it.
    """

    id: str
    body: bytes
    receive_count: int
    group: Hashable | None
    link: Link
    delivery: Any

    @property
    def lane(self) -> Hashable:
        return self if self.group is None else ("group", self.group)


@dataclass(frozen=True)
class Acknowledge:
    """Handled."""


@dataclass(frozen=True)
class GiveBack:
    """Not tried to the end; somebody else may have it now."""


@dataclass(frozen=True, kw_only=True)
class Park:
    """Out of the hand for a while.

    Attributes:
        delay_seconds: until it is delivered again.
        receive_count: what the next delivery counts from.
    """

    delay_seconds: float
    receive_count: int


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """To the dead-letter queue, with the reason."""

    failure: Failure


Disposition = Acknowledge | GiveBack | Park | DeadLetter
