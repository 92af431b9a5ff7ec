"""`ops peek-dlq`."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from ops.context import globals_of
from ops.errors import UsageError
from ops.interrupts import stop_on_signals
from ops.output import Format, Output

if TYPE_CHECKING:
    import threading

    from ops.actions.peek import Peeked
    from ops.actions.queues import QueueDirectory
    from ops.actions.replay.options import Source

__all__ = ["peek_dlq"]


def peek_dlq(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A pattern of the stack: all of its dead-letter queues.")] = None,
    dlq_url: Annotated[str | None, typer.Option(help="One queue by its URL, instead of NAME.")] = None,
    dlq: Annotated[
        str | None, typer.Option(help="With NAME: only its dead-letter queue, or topic, of this name.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Messages to look at in each queue.")] = 100,
    messages: Annotated[bool, typer.Option("--messages", help="A row per message instead of per group.")] = False,
    output: Annotated[Format, typer.Option(help="How stdout is written; json has a row per message.")] = Format.TABLE,
) -> None:
    """Show what is in a dead-letter queue, and why, without taking it away.

    Groups by error and by event type. Looking counts as a receive, which matters only where the dead-letter queue has
    a dead-letter queue of its own; the command says so.

    \b
    ops --stack dev peek-dlq orders
    ops peek-dlq --dlq-url https://sqs…/orders-dlq --messages
    """
    if limit < 1:
        raise UsageError(f"--limit {limit}: must be 1 or more")
    from contracts.manifest import KafkaRef
    from ops.actions.dead_letters import dead_letter_sources, outside_sqs
    from ops.actions.peek import group
    from ops.actions.peek_topic import peek_topic
    from ops.actions.queues import QueueDirectory
    from ops.actions.replay.rabbitmq import peek_rabbitmq
    from ops.manifest import read_pattern

    out = Output(output)
    settings = globals_of(context)
    aws = settings.aws()
    directory = QueueDirectory(aws)
    reader = cache(lambda pattern: read_pattern(aws.ssm(), settings.stack, pattern))
    found = []
    with stop_on_signals() as stop:
        elsewhere = outside_sqs(reader, None if dlq_url else name, dlq)
        if isinstance(elsewhere, KafkaRef):
            found = peek_topic(aws, elsewhere, limit, stop)
            out.say(f"{dlq}: looked at {len(found)} records that have not been replayed")
        elif elsewhere is not None:
            found = peek_rabbitmq(aws, elsewhere, limit, stop)
            out.say(f"{elsewhere.dead_letter_queue}: looked at {len(found)} messages")
        else:
            for source in dead_letter_sources(directory, reader, name, dlq_url, dlq):
                found += _peek(out, directory, source, limit, stop)
    rows = [dataclasses.asdict(row) for row in found]
    if out.json:
        out.rows([], rows)
    elif messages:
        out.rows(["queue", "id", "sent", "receive_count", "replays", "error", "message", "event_type", "body"], rows)
    elif found:
        groups = [dataclasses.asdict(row) for row in group(found)]
        out.rows(["queue", "error", "event_type", "messages", "oldest", "example"], groups)


def _peek(out: Output, directory: QueueDirectory, source: Source, limit: int, stop: threading.Event) -> list[Peeked]:
    from ops.actions.peek import peek

    queue = source.queue
    if queue.redrive_target_arn:
        out.say(
            f"{queue.name} has a dead-letter queue of its own: a message moves there after "
            f"{queue.max_receive_count} receives, and this look counts as one"
        )
    seen = peek(directory, queue, limit, stop)
    out.say(f"{queue.name}: {queue.visible} messages, {queue.in_flight} in flight; looked at {len(seen)}")
    return seen
