"""SQS queues: SendMessageBatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.actions.queues import name_of
from ops.actions.replay.batching import MAX_ENTRIES
from ops.actions.replay.destinations.base import Answer, answers_of
from ops.actions.replay.messages import MAX_BYTES, Attributes, size_bytes

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

__all__ = ["DEDUPLICATION_SECONDS", "QueueMessage", "SqsQueue"]

DEDUPLICATION_SECONDS = 300
"""For how long a FIFO queue recognises a deduplication id (SQS developer guide, "Exactly-once processing")."""


@dataclass(slots=True)
class QueueMessage:
    """What a queue gets.

    Attributes:
        body: as it is.
        attributes: what is sent with it, `REPLAY_COUNT` included.
        group: MessageGroupId; None sends none (on a standard queue only).
        trace: AWSTraceHeader, or None.
    """

    body: str
    attributes: Attributes = field(default_factory=dict)
    group: str | None = None
    trace: str | None = None


class SqsQueue:
    """A queue, standard or FIFO.

    Args:
        client: for the queue's region, without retries of its own.
        url: of the queue.
    """

    max_entries = MAX_ENTRIES
    max_bytes = MAX_BYTES

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self.url = url
        self.name = name_of(url)
        self.fifo = self.name.endswith(".fifo")
        self.remembers_seconds = DEDUPLICATION_SECONDS if self.fifo else 0

    def size(self, payload: QueueMessage) -> int:
        return size_bytes(payload.body, payload.attributes)

    def send(self, items: Sequence[tuple[str, QueueMessage]]) -> Sequence[Answer | None]:
        entries = [self.entry(str(number), token, message) for number, (token, message) in enumerate(items)]
        response = self._client.send_message_batch(QueueUrl=self.url, Entries=entries)
        return answers_of(response, len(items), name=self.name)

    def entry(self, entry_id: str, token: str, message: QueueMessage) -> SendMessageBatchRequestEntryTypeDef:
        """The SendMessageBatch entry; the token is the deduplication id of a FIFO queue."""
        entry: SendMessageBatchRequestEntryTypeDef = {"Id": entry_id, "MessageBody": message.body}
        if message.attributes:
            entry["MessageAttributes"] = message.attributes  # type: ignore[typeddict-item]  # as SQS gave them
        if message.trace:
            entry["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": message.trace}}
        if message.group:
            entry["MessageGroupId"] = message.group
        if self.fifo:
            entry["MessageDeduplicationId"] = token
        return entry
