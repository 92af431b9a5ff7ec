"""Looks into a dead-letter queue without taking anything away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.actions.queues import Queue, QueueDirectory
from ops.actions.replay.description import event_type_of, sent_text, why
from ops.actions.replay.hand import Hand
from ops.actions.replay.messages import DeadLetter
from ops.errors import explain

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["Group", "Peeked", "group", "peek"]

_VISIBILITY_SECONDS = 30
_EMPTY_POLLS = 2
_EXCERPT_CHARACTERS = 200
_EXAMPLE_CHARACTERS = 80


@dataclass(frozen=True, kw_only=True)
class Peeked:
    """One message.

    Attributes:
        queue: the dead-letter queue's name.
        id: the message id.
        sent: when it was first sent, RFC 3339.
        receive_count: receives so far, this look included.
        replays: how often it was replayed.
        error: the exception's class, or EventBridge's error code; ``unknown`` when nobody said.
        message: the exception's text, or EventBridge's.
        event_type: the event's detail-type; ``unknown`` for a body that is no event.
        group: MessageGroupId, or empty.
        body: the first 200 characters.
    """

    queue: str
    id: str
    sent: str
    receive_count: int
    replays: int
    error: str
    message: str
    event_type: str
    group: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Messages of one queue with equal error and event type."""

    queue: str
    error: str
    event_type: str
    messages: int
    oldest: str
    example: str


def peek(directory: QueueDirectory, queue: Queue, limit: int, stop: threading.Event | None = None) -> list[Peeked]:
    """Receive up to `limit` messages, then make them visible again (each has been received once more).

    Args:
        directory: has the client of the queue's region.
        queue: the queue.
        limit: 1 or more. On a FIFO queue the messages behind a group's first batch stay hidden until it is given back.
        stop: ends the look early; what was received is given back.

    Raises:
        OpsError: SQS refused.
    """
    client = directory.client(queue.url)
    found: list[DeadLetter] = []
    with Hand(client, queue.url, _VISIBILITY_SECONDS) as hand:
        try:
            _fill(client, queue, hand, found, limit, stop or threading.Event())
        except Exception as error:
            raise explain(error, f"looking into {queue.name}") from error
        finally:
            hand.give_back(in_order=queue.fifo)
    return [_describe(queue.name, message) for message in found]


def group(messages: Iterable[Peeked]) -> list[Group]:
    """The same messages by queue, error and event type, the largest group first."""
    messages = list(messages)
    counts = Counter((message.queue, message.error, message.event_type) for message in messages)
    groups = []
    for (queue, error, event_type), count in counts.most_common():
        members = [one for one in messages if (one.queue, one.error, one.event_type) == (queue, error, event_type)]
        oldest = min(members, key=lambda one: one.sent)
        example = next((one.message for one in members if one.message), "")
        groups.append(
            Group(
                queue=queue,
                error=error,
                event_type=event_type,
                messages=count,
                oldest=oldest.sent,
                example=example[:_EXAMPLE_CHARACTERS],
            )
        )
    return groups


def _fill(
    client: SQSClient, queue: Queue, hand: Hand, found: list[DeadLetter], limit: int, stop: threading.Event
) -> None:
    empty = 0
    most = _EMPTY_POLLS if queue.visible else 1
    while len(found) < limit and empty < most and not stop.is_set():
        begun = time.monotonic()
        messages = client.receive_message(
            QueueUrl=queue.url,
            MaxNumberOfMessages=min(10, limit - len(found)),
            VisibilityTimeout=_VISIBILITY_SECONDS,
            WaitTimeSeconds=1 if not found else 0,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        empty = 0 if messages else empty + 1
        for message in messages:
            letter = DeadLetter.from_sqs(message, begun + _VISIBILITY_SECONDS)
            if hand.take(letter):
                found.append(letter)


def _describe(queue: str, message: DeadLetter) -> Peeked:
    error, text = why(message)
    return Peeked(
        queue=queue,
        id=message.id,
        sent=sent_text(message),
        receive_count=message.receive_count,
        replays=message.replays,
        error=error,
        message=text,
        event_type=event_type_of(message.body),
        group=message.group or "",
        body=message.body[:_EXCERPT_CHARACTERS],
    )
