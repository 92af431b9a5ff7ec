"""Message attributes that the worker and `ops replay-dlq` write and read, and those that AWS sets.

A record of a stream that could not be processed becomes a message, too: its body is the record's data as `RecordBody`
says, with a `Failure` and a `StreamPosition` in its attributes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "ERROR_CODE",
    "ERROR_MESSAGE",
    "EXECUTION_ID",
    "FAILURE",
    "MAX_ATTRIBUTES",
    "RECEIVE_COUNT",
    "REPLAY",
    "REPLAY_COUNT",
    "RULE_ARN",
    "SCHEDULED_TIME",
    "SCHEDULE_ARN",
    "STREAM_POSITION",
    "TARGET_ARN",
    "Failure",
    "RecordBody",
    "StreamPosition",
]

FAILURE: Final = "eda-failure"
"""String attribute on a message that the worker dead-lettered: a `Failure` as JSON."""
REPLAY_COUNT: Final = "eda-replay-count"
"""Number attribute: how often `ops replay-dlq` has moved this message."""
REPLAY: Final = "eda-replay"
"""Field of an event's envelope in a stream: ``{"for": "billing", "count": 1}``. `ops replay-dlq` puts it into a record
that one application could not handle; the workers of all others pass over it (ADR 0012)."""
STREAM_POSITION: Final = "eda-stream-position"
"""String attribute on a message that was a record of a stream: a `StreamPosition` as JSON."""
RECEIVE_COUNT: Final = "eda-receive-count"
"""Integer header on an AMQP message that waits for its next attempt: receives so far, all of them failed."""
MAX_ATTRIBUTES: Final = 10
"""SQS refuses a message with more attributes, so ours give way to the user's."""

# Set by EventBridge on what it dead-letters (EventBridge user guide, "Using dead-letter queues").
RULE_ARN: Final = "RULE_ARN"
TARGET_ARN: Final = "TARGET_ARN"
ERROR_CODE: Final = "ERROR_CODE"
ERROR_MESSAGE: Final = "ERROR_MESSAGE"

# Set by EventBridge Scheduler, with TARGET_ARN and the errors above (Scheduler user guide, "Configuring a dead-letter
# queue for a schedule").
SCHEDULE_ARN: Final = "SCHEDULE_ARN"
SCHEDULED_TIME: Final = "SCHEDULED_TIME"
EXECUTION_ID: Final = "EXECUTION_ID"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a message is in a dead-letter queue.

    Attributes:
        error: the exception's class, e.g. ``KeyError``; the grouping key of `ops peek-dlq`.
        message: the exception's text, cut to 1,000 characters.
        receive_count: receives so far, this one included.
        retryable: False when the handler (or the contract) said that no retry can help.
        queue_arn: the queue (or stream) the message came from, which is where a replay sends it.
        failed_at: RFC 3339, UTC.
    """

    error: str
    message: str
    receive_count: int
    retryable: bool
    queue_arn: str
    failed_at: str

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "message": self.message[:1000]}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Failure | None:
        """None when the text is not a `Failure`: anybody may set an attribute of this name."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


class RecordBody(StrEnum):
    """What the body of a message that was a record of a stream holds."""

    TEXT = "text"
    """The record's data, which is UTF-8 text that SQS accepts: an event, as a rule."""
    BASE64 = "base64"
    """The record's data in base64."""
    REFERENCE = "reference"
    """The `StreamPosition` as JSON: the record is too large for SQS, and stays in the stream for its retention."""


@dataclass(frozen=True, kw_only=True)
class StreamPosition:
    """Where a record is, and with which key it goes back to a stream.

    Attributes:
        stream_arn, shard_id, sequence_number: of Kinesis: GetShardIterator with AT_SEQUENCE_NUMBER reads the record
            again. Of Kafka: the topic's ARN, ``topic/partition`` and the offset.
        partition_key: as the producer set it; of Kafka, whose keys are bytes, `encode(errors="surrogateescape")` of it.
        arrived_at: RFC 3339, UTC: ApproximateArrivalTimestamp; with the retention it says until when the record
            can be read again.
        body: what the message's body holds. With `RecordBody.REFERENCE` key and headers may be missing, too, when they
            are too large: they are read again with the record.
        keyless: a record of Kafka without a key, which is not the same as an empty key.
        headers: of Kafka, in order: name and value, the value in base64, or None where it is null.
        application: who could not handle it: the pattern's name; empty when nobody said.
    """

    stream_arn: str
    shard_id: str
    sequence_number: str
    partition_key: str
    arrived_at: str
    body: RecordBody
    application: str = ""
    keyless: bool = False
    headers: tuple[tuple[str, str | None], ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StreamPosition | None:
        """None when the text is not a `StreamPosition`: anybody may set an attribute of this name."""
        try:
            values = json.loads(text)
            headers = tuple((str(name), value) for name, value in values.pop("headers", ()))
            return cls(**{**values, "body": RecordBody(values["body"]), "headers": headers})
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
