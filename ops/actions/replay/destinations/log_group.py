"""CloudWatch Logs: a stream for each message, with one line."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.actions.replay.destinations.base import TAKEN, Answer
from ops.faults import Fault

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

__all__ = ["LogGroup", "LogLine"]


@dataclass(frozen=True, slots=True)
class LogLine:
    """What a log group gets.

    Attributes:
        message: the text.
        timestamp: milliseconds since 1970; None is the time of the replay, because CloudWatch refuses lines that are
            older than the group's retention.
    """

    message: str
    timestamp: int | None = None

    @classmethod
    def from_input(cls, text: str) -> LogLine:
        """EventBridge reads an object of exactly ``timestamp`` and ``message`` as a line; anything else is the text."""
        try:
            document: Any = json.loads(text)
        except ValueError:
            return cls(text)
        if not isinstance(document, dict) or set(document) != {"timestamp", "message"}:
            return cls(text)
        message, timestamp = document["message"], document["timestamp"]
        return cls(
            message if isinstance(message, str) else json.dumps(message, ensure_ascii=False),
            timestamp if isinstance(timestamp, int) else None,
        )


class LogGroup:
    """A log group.

    Args:
        client: for the group's region, without retries of its own.
        arn: of the group, with or without ``:*``.
    """

    max_entries = 1
    max_bytes = 1_048_576
    remembers_seconds = 0.0

    def __init__(self, client: CloudWatchLogsClient, arn: str) -> None:
        self._client = client
        self._group = arn.removesuffix(":*").split(":log-group:", 1)[-1]
        self.name = f"log group {self._group}"

    def size(self, payload: LogLine) -> int:
        return len(payload.message.encode())

    def send(self, items: Sequence[tuple[str, LogLine]]) -> Sequence[Answer | None]:
        [(token, line)] = items
        stream = f"replay/{token}"
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)
        at = int(time.time() * 1000) if line.timestamp is None else line.timestamp
        response = self._client.put_log_events(
            logGroupName=self._group,
            logStreamName=stream,
            logEvents=[{"timestamp": at, "message": line.message}],
        )
        if rejected := response.get("rejectedLogEventsInfo"):
            return [Answer(Fault.INVALID, f"{self.name} rejected the line ({', '.join(sorted(rejected))})")]
        return [TAKEN]
