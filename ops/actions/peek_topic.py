"""Looks into the dead-letter topic of a Kafka worker: what has not been replayed yet."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.manifest import KafkaRef
from contracts.messages import REPLAY
from ops.actions.peek import Peeked
from ops.actions.replay.dead_letter_topic import DeadLetterTopic, TopicLetter

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["peek_topic"]

_EXCERPT_CHARACTERS = 200


def peek_topic(aws: Aws, kafka: KafkaRef, limit: int, stop: threading.Event) -> list[Peeked]:
    """Up to `limit` records; nothing is committed. The id is partition and offset, the group the record's key.

    Raises:
        OpsError: the brokers cannot be reached from here, or refuse.
    """
    found: list[Peeked] = []
    with DeadLetterTopic.opened(aws, kafka) as topic:
        while len(found) < limit and (letters := topic.read(limit - len(found), stop)):
            found += [_describe(topic.topic, letter) for letter in letters]
            topic.passed(letters)
    return found


def _describe(topic: str, letter: TopicLetter) -> Peeked:
    sent = datetime.fromtimestamp(letter.sent_ms / 1000, UTC).isoformat(timespec="seconds")
    return Peeked(
        queue=topic,
        id=f"{letter.partition}/{letter.offset}",
        sent=sent.replace("+00:00", "Z"),
        receive_count=letter.failure.receive_count if letter.failure else 0,
        replays=_replays(letter.record.value),
        error=letter.failure.error if letter.failure else "unknown",
        message=letter.failure.message if letter.failure else "",
        event_type=letter.event_type,
        group=(letter.record.key or b"").decode(errors="backslashreplace"),
        body=letter.record.value.decode(errors="backslashreplace")[:_EXCERPT_CHARACTERS],
    )


def _replays(value: bytes) -> int:
    try:
        document: Any = json.loads(value)
        count = document[REPLAY]["count"]
    except (ValueError, TypeError, KeyError):
        return 0
    return count if isinstance(count, int) else 0
