"""The calls to SQS, in batches, with what became of every entry."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from worker.backoff import spread
from worker.logs import Field
from worker.sources.queue.messages import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import MessageSystemAttributeNameType

__all__ = ["BatchResult", "Queue", "error_code", "repeat"]

MAX_BATCH = 10

# Errors of an entry that no repetition can cure: the receipt handle is of an older receive, or the message is gone.
_GONE = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight", "InvalidIdFormat"})

# What `Message` reads; the others would only be parsed.
_SYSTEM_ATTRIBUTES: list[MessageSystemAttributeNameType] = [
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "MessageGroupId",
]

logger = logging.getLogger(__name__)


def error_code(error: ClientError | BotoCoreError) -> str:
    """AWS's error code, or the class of an error that never reached AWS."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


@dataclass
class BatchResult:
    """Where each message of a batch call ended.

    Attributes:
        done: SQS confirmed it.
        failed: may work when repeated; by message, the error code.
        gone: cannot work: the message was deleted, or somebody else has received it since; by message, the error code.
    """

    done: list[Message] = field(default_factory=list)
    failed: dict[Message, str] = field(default_factory=dict)
    gone: dict[Message, str] = field(default_factory=dict)


class Queue:
    """One SQS queue, as its consumer sees it. Thread-safe, but for `receive`, which is for one thread.

    Args:
        client: for everything but receives, without retries: `repeat` is theirs.
        url: the queue.
        poller: receives, without retries; its read timeout must be longer than `wait_seconds`.
        visibility_timeout_seconds: what each receive gives.
        wait_seconds: of a long poll.
    """

    def __init__(
        self, client: SQSClient, url: str, *, poller: SQSClient, visibility_timeout_seconds: int, wait_seconds: int
    ) -> None:
        self._client = client
        self._poller = poller
        self.url = url
        self._visibility_timeout_seconds = visibility_timeout_seconds
        self._wait_seconds = wait_seconds
        self._attempt_id = ""

    @property
    def arn(self) -> str:
        """Derived from the URL, https://host/account/name: asking SQS would need one more permission."""
        account, name = self.url.rstrip("/").split("/")[-2:]
        return f"arn:{self._client.meta.partition}:sqs:{self._client.meta.region_name}:{account}:{name}"

    def receive(self, limit: int) -> list[Message]:
        """Long poll for up to `limit` messages.

        Raises:
            ClientError, BotoCoreError: SQS refused, or cannot be reached.
        """
        arguments: dict[str, Any] = {}
        if self.url.endswith(".fifo"):
            # Until there is an answer it is the same attempt: SQS repeats an answer that was lost, instead of leaving
            # its groups blocked for a visibility timeout.
            self._attempt_id = self._attempt_id or str(uuid.uuid4())
            arguments["ReceiveRequestAttemptId"] = self._attempt_id
        answer = self._poller.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=min(limit, MAX_BATCH),
            WaitTimeSeconds=self._wait_seconds,
            VisibilityTimeout=self._visibility_timeout_seconds,
            MessageSystemAttributeNames=_SYSTEM_ATTRIBUTES,
            MessageAttributeNames=["All"],
            **arguments,
        )
        self._attempt_id = ""
        return [Message.from_sqs(document) for document in answer.get("Messages", [])]

    def delete(self, messages: Iterable[Message]) -> BatchResult:
        """Delete what was handled."""
        return self._batch(self._client.delete_message_batch, {message: {} for message in messages})

    def set_visibility(self, timeouts: Mapping[Message, int]) -> BatchResult:
        """Let each message become visible to others in so many seconds; 0 is now."""
        entries = {message: {"VisibilityTimeout": seconds} for message, seconds in timeouts.items()}
        return self._batch(self._client.change_message_visibility_batch, entries)

    def _batch(self, operation: Callable[..., Any], entries: Mapping[Message, dict[str, Any]]) -> BatchResult:
        result = BatchResult()
        for chunk in _chunks(list(entries)):
            documents = [
                {"Id": str(number), "ReceiptHandle": message.receipt_handle, **entries[message]}
                for number, message in enumerate(chunk)
            ]
            try:
                answer = operation(QueueUrl=self.url, Entries=documents)
            except (ClientError, BotoCoreError) as error:
                result.failed.update(dict.fromkeys(chunk, error_code(error)))
                continue
            refused = {int(entry["Id"]): entry["Code"] for entry in answer.get("Failed", [])}
            for number, message in enumerate(chunk):
                code = refused.get(number)
                if code is None:
                    result.done.append(message)
                else:
                    (result.gone if code.rpartition(".")[2] in _GONE else result.failed)[message] = code
        return result


def _chunks(messages: Sequence[Message]) -> Iterator[tuple[Message, ...]]:
    for start in range(0, len(messages), MAX_BATCH):
        yield tuple(messages[start : start + MAX_BATCH])


def repeat(
    call: Callable[[Sequence[Message]], BatchResult],
    messages: Sequence[Message],
    what: str,
    *,
    attempts: int = 8,
    pause: Callable[[float], object] = time.sleep,
) -> BatchResult:
    """Call until nothing is left to repeat; with `attempts` of 8 that takes about 10 to 20 s of an outage.

    Args:
        call: a batch call.
        messages: what to call it with; the failed ones again.
        what: for the log, e.g. ``delete``.
        attempts: calls at most.
        pause: waits between two calls.

    Returns:
        All that is done and gone, and what still failed at the last attempt.
    """
    total = BatchResult()
    left = list(messages)
    for attempt in range(attempts):
        if attempt:
            pause(spread(min(0.1 * 2**attempt, 5.0)))
        result = call(left)
        total.done += result.done
        total.gone |= result.gone
        total.failed = result.failed
        left = list(result.failed)
        if not left:
            break
    for message, code in (total.gone | total.failed).items():
        logger.warning(
            "cannot %s a message; it comes back when its visibility timeout ends",
            what,
            extra={Field.MESSAGE_ID: message.id, Field.ERROR: code},
        )
    return total
