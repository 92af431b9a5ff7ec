"""SNS topics, as EventBridge publishes to them: PublishBatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops.actions.replay.destinations.base import Answer, answers_of

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

__all__ = ["SnsTopic"]


class SnsTopic:
    """A standard topic (EventBridge cannot publish to a FIFO one); what it gets is the message's text.

    Args:
        client: for the topic's region, without retries of its own.
        arn: of the topic.
    """

    max_entries = 10
    max_bytes = 262_144
    """SNS API reference, PublishBatch: of all messages together."""
    remembers_seconds = 0.0

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn
        self.name = f"topic {arn.rsplit(':', 1)[-1]}"

    def size(self, payload: str) -> int:
        return len(payload.encode())

    def send(self, items: Sequence[tuple[str, str]]) -> Sequence[Answer | None]:
        entries: list[Any] = [{"Id": str(number), "Message": text} for number, (_, text) in enumerate(items)]
        response = self._client.publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=entries)
        return answers_of(response, len(items), name=self.name)
