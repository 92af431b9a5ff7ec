"""What a sender and a destination tell each other. A new kind of destination is a new class with a `send()`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ops.faults import Fault, classify_code

__all__ = ["TAKEN", "Answer", "Delivery", "Destination", "Refusal", "answers_of"]

P = TypeVar("P", contravariant=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination answered for one message.

    Attributes:
        fault: None when it took the message; otherwise what kind of failure it is, which decides whether it is retried.
        reason: a sentence for the operator; empty when it took the message.
    """

    fault: Fault | None = None
    reason: str = ""


TAKEN = Answer()


def answers_of(response: Mapping[str, Any], count: int, *, name: str) -> list[Answer | None]:
    """What SQS or SNS answered to a batch of `count` entries, whose ids are their numbers from 0.

    Args:
        name: of the destination, for the reason of a refusal.
    """
    answers: list[Answer | None] = [None] * count
    for success in response.get("Successful", []):
        answers[int(success["Id"])] = TAKEN
    for failure in response.get("Failed", []):
        reason = f"{name} refused it: {failure['Code']} {failure.get('Message', '')}".strip()
        fault = classify_code(failure["Code"], 400 if failure.get("SenderFault") else 500)
        answers[int(failure["Id"])] = Answer(fault, reason)
    return answers


class Destination(Protocol[P]):
    """A place that takes messages of one kind, `P`. Safe for many threads; there is one object for each place."""

    @property
    def name(self) -> str:
        """What the operator reads in the report, e.g. a queue's name."""
        ...

    @property
    def max_entries(self) -> int:
        """The most messages of one request, 1 or more."""
        ...

    @property
    def max_bytes(self) -> int:
        """The most bytes of one request, as `size` counts them."""
        ...

    @property
    def remembers_seconds(self) -> float:
        """For how long a message that is sent again with the same token is recognised; 0 when it never is."""
        ...

    def size(self, payload: P) -> int:
        """How much of `max_bytes` this message takes."""
        ...

    def send(self, items: Sequence[tuple[str, P]]) -> Sequence[Answer | None]:
        """One request, without retries; an answer for each item, None where there was none.

        Args:
            items: each message with its token, which is the same when a run (or its continuation) sends it again. What
                is dead-lettered again is another message, with another token.

        Raises:
            Exception: the whole request failed; `ops.faults.classify` says how.
        """
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A destination, and what it gets."""

    destination: Destination[Any]
    payload: Any

    @classmethod
    def to(cls, destination: Destination[P], payload: P) -> Delivery:
        """The two, checked to belong together."""
        return cls(destination, payload)

    @property
    def bytes(self) -> int:
        return self.destination.size(self.payload)


@dataclass(frozen=True)
class Refusal:
    """Why a message stays.

    Attributes:
        reason: a sentence for the operator.
        failed: True when something is broken, False when the message is left on purpose.
    """

    reason: str
    failed: bool = False
