"""What a state machine and its workers say to each other: the input of a step, and the names of errors.

The input of an activity's task is one JSON document, written by the state's parameters::

    {"step": {"name": "bake", "execution": "arn:…", "key": "…"}, "input": {…}}

A container gets the same in separate environment variables. What `input` holds is an event, with the results of the
steps before in ``steps``, or any other object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.errors import EventError
from contracts.events import Event

__all__ = [
    "INTERRUPTED",
    "MAX_CAUSE_CHARACTERS",
    "MAX_ERROR_CHARACTERS",
    "MAX_RESULT_BYTES",
    "REFUSED",
    "RESULTS",
    "RESULT_TOO_LARGE",
    "STEP_DETAIL_TYPE",
    "STEP_SOURCE",
    "Step",
]

INTERRUPTED: Final = "Worker.Interrupted"
"""The worker was told to stop (Spot, deploy, scale-in): the step is tried again at once, by another one."""
REFUSED: Final = "Worker.Refused"
"""No retry helps: the handler raised NonRetryableError, or the input is malformed. The cause starts with the class."""
RESULT_TOO_LARGE: Final = "Worker.ResultTooLarge"
"""The handler succeeded, but its result does not fit; a retry would only repeat it."""

MAX_RESULT_BYTES: Final = 262_144
"""SendTaskSuccess, ``output``."""
MAX_ERROR_CHARACTERS: Final = 256
"""SendTaskFailure, ``error``."""
MAX_CAUSE_CHARACTERS: Final = 32_768
"""SendTaskFailure, ``cause``."""

STEP_SOURCE: Final = "aws.states"
STEP_DETAIL_TYPE: Final = "Workflow Step"
"""Source and detail type of the event that a handler gets when the step's input is no event."""
RESULTS: Final = "steps"
"""In a step's input, and in the event's metadata: the results of the steps before, by their names."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One attempt of a state machine's step.

    Attributes:
        input: what the handler works on: an event, or any other object.
        name: of the step; empty when the state machine does not say.
        execution: ARN of the execution; empty when the state machine does not say.
        key: idempotency key, equal for every attempt; empty: derived from the event or the execution, and the name.
        token: of this attempt, which makes the key when there is nothing else.
    """

    input: Mapping[str, Any]
    name: str = ""
    execution: str = ""
    key: str = ""
    token: str = ""

    @classmethod
    def from_json(cls, text: str, token: str = "") -> Step:
        """Read the input of an activity's task; one that was not written for this worker is the step's input itself.

        Raises:
            EventError: not a JSON object.
        """
        document = _object(text)
        about, content = document.get("step"), document.get("input")
        if not isinstance(about, Mapping) or not isinstance(content, Mapping):
            return cls(input=document, token=token)
        values = {field: str(about.get(field) or "") for field in ("name", "execution", "key")}
        return cls(input=content, token=token, **values)

    @classmethod
    def from_parts(cls, text: str, *, name: str, execution: str, key: str, token: str = "") -> Step:
        """A container's: `text` is the input alone.

        Raises:
            EventError: not a JSON object.
        """
        return cls(input=_object(text), name=name, execution=execution, key=key, token=token)

    def event(self) -> Event:
        """What the handler gets. Its key is the same in each attempt, and different in each step.

        Raises:
            EventError: the input looks like an event, and breaks the contract.
        """
        context = {"step": self.name, "execution": self.execution}
        if "detail-type" not in self.input:
            return Event(
                source=STEP_SOURCE,
                detail_type=STEP_DETAIL_TYPE,
                idempotency_key=self._key(self.execution),
                data=self.input,
                metadata=context,
            )
        event = Event.from_envelope(self.input)
        return Event(
            source=event.source,
            detail_type=event.detail_type,
            idempotency_key=self._key(event.idempotency_key),
            data=event.data,
            metadata={**event.metadata, **context, RESULTS: self.input.get(RESULTS) or {}},
            id=event.id,
            time=event.time,
            account=event.account,
            region=event.region,
            resources=event.resources,
        )

    def _key(self, of_the_whole: str) -> str:
        if self.key:
            return self.key
        if of_the_whole:
            return f"{of_the_whole}#{self.name}"
        # Nothing says which attempts belong together: each is handled.
        return hashlib.sha256(self.token.encode()).hexdigest()


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise EventError(f"step: not JSON ({error}): {text[:80]!r}") from error
    if not isinstance(document, dict):
        raise EventError(f"step: expected an object, got {type(document).__name__} {text[:80]!r}")
    return document
