"""A dead-lettered message, and what of it a replay sends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.messages import FAILURE, MAX_ATTRIBUTES, REPLAY_COUNT

__all__ = ["MAX_BYTES", "Attributes", "DeadLetter", "carried_attributes", "deduplication_id", "size_bytes"]

MAX_BYTES = 1_048_576
"""SQS's limit of a message, and of a batch (SQS developer guide, "Message quotas")."""

Attributes = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True, eq=False)
class DeadLetter:
    """A message taken from a dead-letter queue.

    Attributes:
        id: the message id.
        receipt: the receipt handle of the last receive; replaced when the message is received again.
        body, attributes, system: as SQS returned them.
        expires_at: when its visibility runs out, seconds of `time.monotonic`.
        reason: why it was not replayed; empty while that is open.
    """

    id: str
    receipt: str
    body: str
    attributes: Attributes
    system: Mapping[str, str]
    expires_at: float = 0.0
    reason: str = ""

    @classmethod
    def from_sqs(cls, message: Mapping[str, Any], expires_at: float = 0.0) -> DeadLetter:
        return cls(
            message["MessageId"],
            message["ReceiptHandle"],
            message.get("Body", ""),
            message.get("MessageAttributes") or {},
            message.get("Attributes") or {},
            expires_at,
        )

    def forget_content(self) -> None:
        """Keep only what giving it back needs: a run may hold a hundred thousand of these."""
        self.body, self.attributes = "", {}

    @property
    def group(self) -> str | None:
        """Its MessageGroupId, which on a standard queue is fair-queue information and not an order."""
        return self.system.get("MessageGroupId")

    @property
    def sent_ms(self) -> int:
        return int(self.system.get("SentTimestamp") or 0)

    @property
    def receive_count(self) -> int:
        return int(self.system.get("ApproximateReceiveCount") or 0)

    @property
    def replays(self) -> int:
        """How often it was replayed before; 0 when nobody counted."""
        text = self.text_attribute(REPLAY_COUNT) or ""
        return int(text) if text.isascii() and text.isdigit() else 0

    def text_attribute(self, name: str) -> str | None:
        value = self.attributes.get(name, {}).get("StringValue")
        return value if isinstance(value, str) else None


def carried_attributes(attributes: Attributes, replays: int, body: str = "") -> dict[str, dict[str, Any]]:
    """The attributes a replay sends: all of the user's, and how often the message was replayed.

    `FAILURE` is left out: it says why the message failed *then*, and the next failure must not find it. The count gives
    way when the message already has 10 attributes, or would grow over 1 MiB.

    Args:
        attributes: as received, with DataType and StringValue or BinaryValue.
        replays: the count to attach, this replay included.
        body: the body they go with.
    """
    kept = {
        name: {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if value.get(key) is not None}
        for name, value in attributes.items()
        if name not in (FAILURE, REPLAY_COUNT)
    }
    if len(kept) < MAX_ATTRIBUTES:
        counted = {**kept, REPLAY_COUNT: {"DataType": "Number", "StringValue": str(replays)}}
        if size_bytes(body, counted) <= MAX_BYTES:
            return counted
    return kept


def deduplication_id(message_id: str, run_id: str) -> str:
    """Equal when the same run (or its continuation) sends a message again, and never what it was first sent with."""
    return f"{message_id}.{run_id}"


def size_bytes(body: str, attributes: Attributes) -> int:
    """What SQS counts: the UTF-8 body, and the name, type and value of every attribute.

    Source: SQS developer guide, "Amazon SQS message metadata".
    """
    total = len(body.encode())
    for name, value in attributes.items():
        total += len(name.encode()) + len(str(value.get("DataType", "")).encode())
        total += len(str(value.get("StringValue") or "").encode()) + len(value.get("BinaryValue") or b"")
    return total
