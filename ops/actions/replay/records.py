"""Records of a stream that one application could not handle: back into the stream, for it alone (ADR 0012)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from contracts.messages import REPLAY, STREAM_POSITION, RecordBody, StreamPosition
from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.destinations.kafka_topic import TopicRecord
from ops.actions.replay.destinations.kinesis import StreamRecord
from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.stored_records import StoredRecords

__all__ = ["Records", "marked"]


def marked(data: bytes, application: str, max_replays: int) -> bytes | Refusal:
    """The event with the mark that it is for this application, and how often it was put back.

    Nothing else of the envelope changes. What is no event cannot be marked, and every application would get it again.
    """
    try:
        event: Any = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return Refusal(
            "it is no JSON object: no handler gets it, and it cannot be put back for one application alone; mend it "
            "with --edit"
        )
    if not application:
        return Refusal("it does not say which application could not handle it, and every one would get it again")
    before = event.get(REPLAY)
    mark = before if isinstance(before, Mapping) and before.get("for") == application else {}
    count = mark["count"] if isinstance(mark.get("count"), int) else 0
    if count >= max_replays:
        return Refusal(
            f"replayed {count} times already and failed again each time; "
            f"fix the cause, then pass --max-replays {count + 1}"
        )
    return json.dumps({**event, REPLAY: {"for": application, "count": count + 1}}, ensure_ascii=False).encode()


class Records:
    """Resolves messages of on-failure queues. Safe for many threads.

    The record's data is the copy in the message; where that is too large for a message, the stream is read at the
    record's place. Of Kafka the place is read in any case, if it still has the record: the message has no headers.

    Args:
        destinations: of the run.
        stored: reads records at their place.
        max_replays: a record put back this often is refused; 1 or more.
    """

    def __init__(self, destinations: Destinations, stored: StoredRecords, max_replays: int) -> None:
        self._destinations = destinations
        self._stored = stored
        self._max_replays = max_replays

    def resolve(self, message: DeadLetter) -> Delivery | Refusal | None:
        """Where the record goes, or why it cannot; None for a message that was no record."""
        position = StreamPosition.from_json(message.text_attribute(STREAM_POSITION) or "")
        if position is None:
            return None
        kind = position.stream_arn.split(":")[2] if position.stream_arn.count(":") >= 5 else ""
        if kind not in ("kinesis", "kafka"):
            return Refusal(f"its stream {position.stream_arn!r} is neither of Kinesis nor of Kafka")
        copy = _copy(message.body, position)
        if isinstance(copy, Refusal):
            return copy
        stored = self._stored.read(position) if copy is None or kind == "kafka" else None
        if isinstance(stored, Refusal):
            return stored
        if copy is None:
            if stored is None:
                place = f"record {position.sequence_number} of {position.shard_id}"
                return Refusal(f"its data is not in the message, and the stream no longer has {place}", failed=True)
            copy = stored.data
        event = marked(copy, position.application, self._max_replays)
        if isinstance(event, Refusal):
            return event
        if kind == "kinesis":
            return Delivery.to(
                self._destinations.stream(position.stream_arn), StreamRecord(event, position.partition_key)
            )
        topic = self._destinations.topic_of_kafka(position.stream_arn)
        if isinstance(topic, Refusal):
            return topic
        if stored is None:  # no longer in the topic: the copy has no headers, and cannot tell no key from an empty one
            return Delivery.to(
                topic, TopicRecord(event, position.partition_key.encode(errors="surrogateescape") or None)
            )
        return Delivery.to(topic, TopicRecord(event, stored.key, stored.headers))


def _copy(body: str, position: StreamPosition) -> bytes | Refusal | None:
    """The data in the message; None when it is not there."""
    match position.body:
        case RecordBody.TEXT:
            return body.encode()
        case RecordBody.BASE64:
            try:
                return base64.b64decode(body, validate=True)
            except (binascii.Error, ValueError) as error:
                return Refusal(f"its body is not base64, as it says it is ({error})")
        case RecordBody.REFERENCE:
            return None
