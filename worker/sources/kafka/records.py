"""A record of a partition."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from worker.sources.kafka.settings import Order
from worker.sources.stream.records import Record

__all__ = ["KafkaRecord", "text_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class KafkaRecord(Record):
    """One record as Kafka gives it; its sequence number is the offset.

    Attributes:
        offset: grows within the partition, with gaps.
        key: as the producer set it; None is none.
        headers: in order, a name may come twice.
        lane: what `lane_key` answers.
    """

    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    lane: str

    @property
    def lane_key(self) -> str:
        return self.lane

    @property
    def keyless(self) -> bool:
        return self.key is None

    def headers_as_text(self) -> tuple[tuple[str, str | None], ...]:
        return tuple(
            (name, None if value is None else base64.b64encode(value).decode()) for name, value in self.headers
        )

    @classmethod
    def from_message(cls, message: Message, order: Order) -> KafkaRecord:
        """Records without a key are in no order, unless the whole partition is."""
        key, offset = _bytes(message.key()), message.offset() or 0
        text = text_of(key)
        lane = f"\0{offset}" if key is None else text
        kind, milliseconds = message.timestamp()
        seconds = time.time() if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
        return cls(
            sequence_number=str(offset),
            partition_key=text,
            data=_bytes(message.value()) or b"",
            arrived_at=datetime.fromtimestamp(seconds, UTC),
            offset=offset,
            key=key,
            headers=_headers(message),
            lane="" if order is Order.PARTITION else lane,
        )


def text_of(key: bytes | None) -> str:
    """The key as text from which its bytes can be had again: ``text.encode(errors="surrogateescape")``."""
    return (key or b"").decode(errors="surrogateescape")


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _headers(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    headers = message.headers() or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name, _bytes(value)) for name, value in pairs)
