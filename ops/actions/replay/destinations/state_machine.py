"""Step Functions: StartExecution, named so that a second start of the same message is none."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ops.actions.replay.destinations.base import TAKEN, Answer

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["StateMachine"]

_NAME_DAYS = 90
"""Step Functions API reference, StartExecution: a name is unique for so long after its execution ended."""


class StateMachine:
    """A state machine; what it gets is the execution's input.

    A STANDARD execution is named after the message and the run that first sent it, so that a repeated start is
    answered with the first. EXPRESS executions may share a name: they recognise nothing.

    Args:
        client: for the state machine's region, without retries of its own.
        arn: of the state machine, of a version or of an alias.
    """

    max_entries = 1
    max_bytes = 1_048_576

    def __init__(self, client: SFNClient, arn: str) -> None:
        self._client = client
        self._arn = arn
        self.name = f"state machine {arn.split(':', 6)[-1]}"
        self._express: bool | None = None
        self._lock = threading.Lock()

    @property
    def remembers_seconds(self) -> float:
        with self._lock:
            if self._express is None:
                self._express = self._is_express()
            return 0.0 if self._express else _NAME_DAYS * 86_400.0

    def size(self, payload: str) -> int:
        return len(payload.encode())

    def send(self, items: Sequence[tuple[str, str]]) -> Sequence[Answer | None]:
        [(token, text)] = items
        # Only letters, digits, hyphens and underscores can be logged to CloudWatch.
        name = token.replace(".", "_")
        # The name is ours alone: if it exists, an earlier attempt started it.
        with suppress(self._client.exceptions.ExecutionAlreadyExists):
            self._client.start_execution(stateMachineArn=self._arn, name=name, input=text)
        return [TAKEN]

    def _is_express(self) -> bool:
        try:
            return self._client.describe_state_machine(stateMachineArn=self._arn).get("type") == "EXPRESS"
        except Exception:  # noqa: BLE001 - only for the count of possible duplicates: the worse is assumed
            return True
