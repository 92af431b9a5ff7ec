"""A record as `ops stream tail` shows it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = ["TailedRecord"]


@dataclass(frozen=True, kw_only=True)
class TailedRecord:
    """One record of a stream or a topic.

    Attributes:
        shard: the shard's id, or ``topic/partition``.
        sequence_number: of the record; of Kafka the offset.
        key: partition key, or key; None when a Kafka record has none.
        arrived_at: when the stream got it.
        data: as the producer put it.
        headers: of Kafka, in order.
    """

    shard: str
    sequence_number: str
    key: bytes | None
    arrived_at: datetime
    data: bytes
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def document(self) -> dict[str, Any]:
        """For a line of JSON. The data is ``event`` if it is a JSON object, else ``text``, else ``base64``."""
        found: dict[str, Any] = {
            "shard": self.shard,
            "sequence_number": self.sequence_number,
            "partition_key": None if self.key is None else _text(self.key),
            "arrived_at": self.arrived_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        }
        if self.headers:
            found["headers"] = {name: None if value is None else _text(value) for name, value in self.headers}
        try:
            text = self.data.decode()
        except UnicodeDecodeError:
            return found | {"base64": base64.b64encode(self.data).decode()}
        event = _object(text)
        return found | ({"text": text} if event is None else {"event": event})

    def line(self) -> str:
        """For people: when, where, key, and what kind of event with which idempotency key, or how the data begins."""
        document = self.document()
        event = document.get("event")
        if isinstance(event, dict) and isinstance(event.get("detail-type"), str):
            detail = event.get("detail")
            metadata = detail.get("metadata") if isinstance(detail, dict) else None
            key = metadata.get("idempotency-key") if isinstance(metadata, dict) else None
            what = f"{event['detail-type']}{f' {key}' if key else ''}"
        else:
            what = " ".join(str(document.get("text") or document.get("base64") or json.dumps(event)).split())[:100]
        return "  ".join((document["arrived_at"], self.shard, str(document["partition_key"] or "-"), what))


def _text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
