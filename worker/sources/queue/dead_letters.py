"""Puts a poison message into the dead-letter queue, with the reason."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.messages import FAILURE, MAX_ATTRIBUTES, Failure
from worker.logs import Field
from worker.sources.queue.messages import Message
from worker.sources.queue.sqs import error_code

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["MAX_MESSAGE_BYTES", "DeadLetters", "failure_of"]

MAX_MESSAGE_BYTES = 1_048_576
"""SQS: body and attributes (names, types and values) together."""

logger = logging.getLogger(__name__)


def failure_of(error: Exception, message: Message, *, retryable: bool, queue_arn: str) -> Failure:
    """Describe why `message` is given up, in characters that SQS accepts: those of XML 1.0."""
    text = str(error).encode(errors="replace").decode()
    return Failure(
        error=type(error).__name__,
        message="".join(character for character in text if character not in "\ufffe\uffff"),
        receive_count=message.receive_count,
        retryable=retryable,
        queue_arn=queue_arn,
        failed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


class DeadLetters:
    """The dead-letter queue of one source. Thread-safe.

    Args:
        client: its botocore retries are the only ones; a message that cannot be sent stays where it is.
        url: the dead-letter queue, FIFO if its source is.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, message: Message, failure: Failure) -> bool:
        """Send a copy of the message with the reason; False when it could not be sent, and must not be deleted."""
        arguments: dict[str, Any] = {"MessageAttributes": attributes_with_reason(message, failure)}
        if message.group is not None:
            arguments["MessageGroupId"] = message.group
        if self._url.endswith(".fifo"):
            # Killed after this, before the delete, a worker would send the message again.
            arguments["MessageDeduplicationId"] = message.id
        if message.trace_header is not None:
            arguments["MessageSystemAttributes"] = {
                "AWSTraceHeader": {"DataType": "String", "StringValue": message.trace_header}
            }
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=message.body, **arguments)
        except (ClientError, BotoCoreError) as error:
            logger.error(
                "cannot dead-letter a message; it is left to the queue's redrive policy",
                extra={Field.ERROR: error_code(error), Field.REASON: str(error)},
            )
            return False
        return True


def attributes_with_reason(message: Message, failure: Failure) -> dict[str, dict[str, Any]]:
    """The user's attributes and the reason, which gives way: it is shortened to fit, or left out with a warning."""
    attributes = {name: _as_sent(value) for name, value in message.attributes.items() if name != FAILURE}
    if len(attributes) >= MAX_ATTRIBUTES:
        logger.warning("no room for the reason: the message has %d attributes of its own", len(attributes))
        return attributes
    size = len(message.body.encode()) + sum(_attribute_bytes(name, value) for name, value in attributes.items())
    for characters in (1000, 200, 0):
        text = replace(failure, message=failure.message[:characters]).to_json()
        reason = {"DataType": "String", "StringValue": text}
        if size + _attribute_bytes(FAILURE, reason) <= MAX_MESSAGE_BYTES:
            return {**attributes, FAILURE: reason}
    logger.warning("no room for the reason: the message has %d bytes of its own", size)
    return attributes


def _as_sent(value: Any) -> dict[str, Any]:
    kept = ("DataType", "StringValue", "BinaryValue")
    return {name: value[name] for name in kept if name in value}


def _attribute_bytes(name: str, value: dict[str, Any]) -> int:
    content = value["BinaryValue"] if "BinaryValue" in value else value["StringValue"].encode()
    return len(name.encode()) + len(value["DataType"].encode()) + len(content)
