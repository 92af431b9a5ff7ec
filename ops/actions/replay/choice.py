"""Chooses the engine: SQS itself when it can do all that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.messages import FAILURE, REPLAY_COUNT
from ops.actions.queues import QueueDirectory
from ops.actions.replay.eventbridge import is_undelivered_event
from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.native_engine import FASTEST_PER_SECOND, active_task
from ops.actions.replay.options import Engine, ReplayOptions, Source
from ops.errors import explain

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["beyond_sqs", "choose_engine"]

_SAMPLE_SECONDS = 10


def choose_engine(directory: QueueDirectory, source: Source, options: ReplayOptions) -> tuple[Engine, str]:
    """The engine for this queue and the reason, for the operator.

    Only with `Engine.AUTO` anything is asked of AWS; a sample of up to 10 messages is looked at and given back.
    """
    if options.engine is not Engine.AUTO:
        return options.engine, "as asked"
    if reason := beyond_sqs(options) or _beyond_sqs_here(source, options):
        return Engine.CLIENT, reason
    try:
        if reason := _does_not_qualify(directory, source, options):
            return Engine.CLIENT, reason
    except Exception as error:  # noqa: BLE001 - the client engine will meet, and explain, what is really wrong
        return Engine.CLIENT, f"SQS did not say whether it can move them ({explain(error).message})"
    return Engine.NATIVE, "SQS can do all that is asked"


def beyond_sqs(options: ReplayOptions) -> str:
    """What is asked that no move task can do; empty when nothing."""
    asked = {
        "SQS moves all messages, not chosen ones (--where, --id, --since, --until)": not options.selection.everything,
        "SQS cannot stop after --max messages": options.max_messages is not None,
        "SQS cannot do a dry run (--dry-run)": options.dry_run,
        "SQS does not count replays (--max-replays)": options.max_replays is not None,
        "SQS does not count failures (--max-failures)": options.max_failures is not None,
        "SQS moves messages as they are (--edit)": options.edit is not None,
        "SQS moves, and does not copy (--copy)": options.copy,
        "SQS writes no backup (--backup)": options.backup is not None,
        "SQS keeps an even pace (--ramp-up)": options.ramp_up_seconds > 0,
        "SQS knows nothing of a run's journal (--resume)": bool(options.resumes),
    }
    return next((reason for reason, is_asked in asked.items() if is_asked), "")


def _beyond_sqs_here(source: Source, options: ReplayOptions) -> str:
    """What is asked of this queue that a move task cannot do; empty when nothing."""
    if options.rate is not None and (options.rate != int(options.rate) or not 1 <= options.rate <= FASTEST_PER_SECOND):
        return f"SQS cannot keep to {options.rate:g} messages a second (1 to {FASTEST_PER_SECOND}, whole)"
    if source.manifest_origin is not None:
        return "the stack's workers dead-letter messages themselves, and SQS does not know where those came from"
    if source.queue.fifo:
        return "inside the deduplication window only fresh deduplication ids bring FIFO messages back"
    return ""


def _does_not_qualify(directory: QueueDirectory, source: Source, options: ReplayOptions) -> str:
    """Why SQS would refuse this queue, or leave some of its messages; empty when it would not."""
    sources = directory.sources_of(source.queue.url)
    if sources is None:
        return "this endpoint does not say whose dead-letter queue it is"
    if not sources:
        return "it is no queue's dead-letter queue, so SQS refuses to move its messages"
    client = directory.client(source.queue.url)
    if active_task(client, source.queue.arn):
        return "SQS is moving messages out of this queue already"
    for message in _sample(client, source.queue.url):
        if options.to is None and is_undelivered_event(message):
            return "it holds events that EventBridge could not deliver"
        if options.to is None and "DeadLetterQueueSourceArn" not in message.system:
            return "it holds messages that SQS did not put there itself"
        if FAILURE in message.attributes or REPLAY_COUNT in message.attributes:
            return "it holds messages whose replays are counted"
    return ""


def _sample(client: SQSClient, url: str) -> list[DeadLetter]:
    received = client.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_SAMPLE_SECONDS,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages", [])
    entries: list[Any] = [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
        for number, message in enumerate(received)
    ]
    if entries:
        client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    return [DeadLetter.from_sqs(message) for message in received]
