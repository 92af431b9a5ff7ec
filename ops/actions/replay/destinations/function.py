"""Lambda functions: invoked asynchronously, as EventBridge and SNS do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ops.actions.replay.destinations.base import TAKEN, Answer

__all__ = ["LambdaFunction"]


class LambdaFunction:
    """A function; what it gets is the event as JSON text. Its own retries and its own dead-letter queue apply.

    Args:
        client: for the function's region, without retries of its own.
        arn: of the function, of a version or of an alias.
    """

    max_entries = 1
    max_bytes = 1_048_576
    remembers_seconds = 0.0

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn
        self.name = f"function {arn.split(':', 6)[-1]}"

    def size(self, payload: str) -> int:
        return len(payload.encode())

    def send(self, items: Sequence[tuple[str, str]]) -> Sequence[Answer | None]:
        [(_, text)] = items
        self._client.invoke(FunctionName=self._arn, InvocationType="Event", Payload=text.encode())
        return [TAKEN]
