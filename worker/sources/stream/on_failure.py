"""Puts a record that cannot be handled into the on-failure queue: a copy of it, where it was, and why."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.messages import FAILURE, STREAM_POSITION, Failure, RecordBody, StreamPosition
from worker.logs import Field
from worker.sources.stream.kinesis import error_code
from worker.sources.stream.records import Record

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["MAX_MESSAGE_BYTES", "OnFailure", "message_of"]

MAX_MESSAGE_BYTES = 1_048_576
"""SQS: body and attributes (names, types and values) together."""
_POSITION_BYTES = 65_536
"""A position is larger only with a key or headers of Kafka that are; they stay in the topic with the record then."""
_NAMES_BYTES = 128
"""Names and types of the two attributes, and what the kind of body changes in the position."""

logger = logging.getLogger(__name__)


def message_of(
    record: Record, shard_id: str, stream_arn: str, failure: Failure, application: str = ""
) -> dict[str, Any]:
    """The arguments of SendMessage."""
    position = StreamPosition(
        stream_arn=stream_arn,
        shard_id=shard_id,
        sequence_number=record.sequence_number,
        partition_key=record.partition_key,
        arrived_at=record.arrived_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        body=RecordBody.TEXT,
        application=application,
        keyless=record.keyless,
        headers=record.headers_as_text(),
    )
    reason = failure.to_json()
    if len(position.to_json()) > _POSITION_BYTES:
        position, body = _reference(replace(position, partition_key="", headers=()))
    else:
        room = MAX_MESSAGE_BYTES - len(position.to_json()) - len(reason.encode()) - _NAMES_BYTES
        position, body = _body(record.data, position, room)
    return {
        "MessageBody": body,
        "MessageAttributes": {
            FAILURE: {"DataType": "String", "StringValue": reason},
            STREAM_POSITION: {"DataType": "String", "StringValue": position.to_json()},
        },
    }


def _body(data: bytes, position: StreamPosition, room: int) -> tuple[StreamPosition, str]:
    text = _acceptable_text(data)
    if text is not None and len(data) <= room:
        return position, text
    if data and text is None and len(data) <= room * 3 // 4 - 4:
        return replace(position, body=RecordBody.BASE64), base64.b64encode(data).decode()
    return _reference(position)


def _reference(position: StreamPosition) -> tuple[StreamPosition, str]:
    position = replace(position, body=RecordBody.REFERENCE)
    return position, position.to_json()


def _acceptable_text(data: bytes) -> str | None:
    """The data as text, if SQS takes it: not empty, and only characters of XML 1.0."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    refused = any((character < " " and character not in "\t\n\r") or character in "\ufffe\uffff" for character in text)
    return None if refused or not text else text


class OnFailure:
    """The on-failure queue of one application. Thread-safe.

    Args:
        client: its botocore retries are the only ones.
        url: of the queue, which is standard: it keeps no order, and needs none.
        stream_arn: where the records come from.
        application: who cannot handle them; a replay is for it alone.
    """

    def __init__(self, client: SQSClient, url: str, stream_arn: str, application: str = "") -> None:
        self._client = client
        self._url = url
        self._stream_arn = stream_arn
        self._application = application

    def put(self, record: Record, shard_id: str, error: Exception, *, attempts: int, retryable: bool) -> bool:
        """Send; False when it could not be sent, and the record must not be passed over."""
        text = str(error).encode(errors="replace").decode()
        failure = Failure(
            error=type(error).__name__,
            message="".join(character for character in text if character not in "\ufffe\uffff"),
            receive_count=attempts,
            retryable=retryable,
            queue_arn=self._stream_arn,
            failed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        try:
            message = message_of(record, shard_id, self._stream_arn, failure, self._application)
            self._client.send_message(QueueUrl=self._url, **message)
        except (ClientError, BotoCoreError) as problem:
            logger.error(
                "cannot send a record to the on-failure queue; trying again",
                extra={Field.ERROR: error_code(problem), Field.REASON: str(problem)},
            )
            return False
        return True
