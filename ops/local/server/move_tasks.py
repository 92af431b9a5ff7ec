"""A message move task: what StartMessageMoveTask begins, ListMessageMoveTasks shows and CancelMessageMoveTask ends."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["FailureReason", "MoveStatus", "MoveTask"]


class MoveStatus(StrEnum):
    """Status of a move task."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class FailureReason(StrEnum):
    """FailureReason of a failed move task."""

    NO_SOURCE = "CouldNotDetermineMessageSource"
    NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"


@dataclass
class MoveTask:
    """One task. Counts are of messages; times are epoch seconds."""

    source_arn: str
    to_move: int
    destination_arn: str | None = None
    messages_per_second: int | None = None
    status: MoveStatus = MoveStatus.RUNNING
    moved: int = 0
    failure_reason: FailureReason | None = None
    started_at: float = field(default_factory=time.time)
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def active(self) -> bool:
        """Whether it still moves messages."""
        return self.status in (MoveStatus.RUNNING, MoveStatus.CANCELLING)

    @property
    def handle(self) -> str:
        """The task handle, in the form that SQS gives it."""
        document = {"taskId": self.task_id, "sourceArn": self.source_arn}
        return base64.b64encode(json.dumps(document).encode()).decode()

    def allowance(self, elapsed_seconds: float) -> int:
        """How many messages may have been moved this long after the start, at the rate asked for."""
        if self.messages_per_second is None:
            return self.moved + 100
        return int(elapsed_seconds * self.messages_per_second) + 1

    def document(self) -> dict[str, Any]:
        """The task as ListMessageMoveTasks shows it; only a running task shows its handle."""
        shown: dict[str, Any] = {
            "Status": str(self.status),
            "SourceArn": self.source_arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": int(self.started_at * 1000),
        }
        if self.status is MoveStatus.RUNNING:
            shown["TaskHandle"] = self.handle
        if self.destination_arn:
            shown["DestinationArn"] = self.destination_arn
        if self.messages_per_second is not None:
            shown["MaxNumberOfMessagesPerSecond"] = self.messages_per_second
        if self.failure_reason:
            shown["FailureReason"] = str(self.failure_reason)
        return shown
