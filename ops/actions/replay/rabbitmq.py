"""The dead letters of a RabbitMQ worker: back into its queue, confirmed by the broker, and only then acknowledged.

What is not acknowledged the broker gives back by itself when the connection ends, also that of a killed run. One
message is in hand at a time, so that a kill leaves at most one that was sent and not acknowledged: it arrives twice.
"""

from __future__ import annotations

import copy
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.manifest import BrokerRef
from contracts.messages import FAILURE, RECEIVE_COUNT, REPLAY_COUNT, Failure
from ops.actions.peek import Peeked
from ops.actions.replay.client_engine import Progress, new_run_id
from ops.actions.replay.description import event_type_of
from ops.actions.replay.journal_store import JournalStore
from ops.actions.replay.options import Engine, QueueReport, ReplayOptions
from ops.actions.replay.rate import Pace
from ops.actions.replay.tally import Tally
from ops.errors import OpsError, explain

if TYPE_CHECKING:
    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel

    from ops.aws import Aws

__all__ = ["count_rabbitmq", "peek_rabbitmq", "replay_rabbitmq"]

_CONNECT_SECONDS = 5
_EXCERPT_CHARACTERS = 200


def replay_rabbitmq(
    aws: Aws, broker: BrokerRef, options: ReplayOptions, stop: threading.Event, progress: Progress
) -> QueueReport:
    """Move what was in the dead-letter queue at the start.

    Raises:
        OpsError: the broker cannot be reached, refuses the login, or is not RabbitMQ; another run works on the queue.
    """
    report = QueueReport(broker.dead_letter_queue, new_run_id(), Engine.CLIENT, resumable=False)
    store = JournalStore(options.journal_directory, f"{broker.arn}:{broker.dead_letter_queue}", broker.urls[0])
    with store.locked(report.run_id), _channel(aws, broker) as channel:
        at_work = store.directory / "at-work"
        if not options.dry_run:
            report.duplicates_possible = int(
                at_work.exists()
            )  # a run was killed, perhaps between send and acknowledgement
            at_work.touch()
        _move(channel, broker, options, stop, progress, report)
        if not options.dry_run and not report.error:
            at_work.unlink(missing_ok=True)
    return report


def peek_rabbitmq(aws: Aws, broker: BrokerRef, limit: int, stop: threading.Event) -> list[Peeked]:
    """Up to `limit` messages, which are given back. Looking counts as a delivery, which nothing limits here.

    Raises:
        OpsError: the broker cannot be reached, refuses the login, or is not RabbitMQ.
    """
    found: list[Peeked] = []
    with _channel(aws, broker) as channel:
        while len(found) < limit and not stop.is_set():
            method, properties, body = channel.basic_get(broker.dead_letter_queue)
            if method is None or properties is None:
                break
            found.append(_describe(broker.dead_letter_queue, properties, body or b""))
    return found


def count_rabbitmq(aws: Aws, broker: BrokerRef, queue: str) -> int:
    """Messages that wait in a queue of the worker's.

    Raises:
        OpsError: the broker cannot be reached, refuses the login, or has no such queue.
    """
    with _channel(aws, broker) as channel:
        return _waiting(channel, queue)


def _waiting(channel: BlockingChannel, queue: str) -> int:
    # Passive: it is asked for, and not made.
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def _move(
    channel: BlockingChannel,
    broker: BrokerRef,
    options: ReplayOptions,
    stop: threading.Event,
    progress: Progress,
    report: QueueReport,
) -> None:
    begun, tally, pace = time.monotonic(), Tally(), Pace(options.rate)
    report.found = _waiting(channel, broker.dead_letter_queue)
    limit = report.found if options.max_messages is None else min(options.max_messages, report.found)
    try:
        for _ in range(limit):
            if stop.wait(pace.reserve(1)):
                break
            method, properties, body = channel.basic_get(broker.dead_letter_queue)
            if method is None or properties is None:
                break
            replays = _replays(properties)
            if replays >= options.replay_limit:
                # It stays in hand until the connection ends: given back now, it would be the next one again.
                tally.skip(
                    f"replayed {replays} times already and failed again each time; "
                    f"fix the cause, then pass --max-replays {replays + 1}"
                )
            elif options.dry_run:
                tally.sent_to(broker.queue, 1)
            else:
                again, delivery = _copy(properties, replays + 1), method.delivery_tag or 0
                channel.basic_publish(
                    "", broker.queue, body or b"", again, mandatory=True
                )  # waits for the confirmation
                channel.basic_ack(delivery)
                tally.sent_to(broker.queue, 1)
                tally.move(1)
            progress(tally, report.found, time.monotonic() - begun)
    except Exception as error:  # noqa: BLE001 - ends the run, and is told in the report
        report.error = explain(error, f"sending to {broker.queue}").message
        report.duplicates_possible += 1
    report.moved, report.skipped = tally.moved, tally.skipped
    report.destinations, report.reasons = dict(tally.destinations), dict(tally.reasons.most_common())
    report.left = report.found - report.moved - report.skipped
    report.interrupted = stop.is_set()
    report.seconds = time.monotonic() - begun
    done = report.left <= report.found - limit and not report.skipped
    report.complete = (done or options.dry_run) and not (report.error or report.interrupted)


@contextmanager
def _channel(aws: Aws, broker: BrokerRef) -> Iterator[BlockingChannel]:
    import pika
    from pika.exceptions import AMQPError

    if "rabbit" not in broker.engine.lower():
        raise OpsError(
            f"the broker {broker.name} is {broker.engine}: its dead letters are moved in its web console",
            f"there, in the queue {broker.dead_letter_queue}: move to {broker.queue}",
        )
    try:
        secret = aws.client("secretsmanager", broker.arn.split(":")[3]).get_secret_value(SecretId=broker.secret_arn)
        login = json.loads(secret["SecretString"])
    except Exception as error:
        raise explain(error, f"reading the login of the broker {broker.name}") from error
    # What pika has to say about a connection is no answer to a command.
    quiet = logging.getLogger("pika")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    problem: Exception | None = None
    for url in broker.urls:
        parameters = pika.URLParameters(url)
        parameters.credentials = pika.PlainCredentials(login["username"], login["password"])
        parameters.socket_timeout = parameters.stack_timeout = _CONNECT_SECONDS
        try:
            connection = pika.BlockingConnection(parameters)
        except (AMQPError, OSError) as error:
            problem = error
            continue
        try:
            with connection:
                channel = connection.channel()
                channel.confirm_delivery()
                yield channel
            return
        except AMQPError as error:
            raise OpsError(f"the broker {broker.name}: {type(error).__name__} {error}") from error
    raise OpsError(
        f"the broker {broker.name} cannot be reached ({type(problem).__name__})", "run `ops` in the broker's network"
    ) from problem


def _replays(properties: BasicProperties) -> int:
    count = (properties.headers or {}).get(REPLAY_COUNT, 0)
    return count if isinstance(count, int) else 0


def _copy(properties: BasicProperties, replays: int) -> BasicProperties:
    """The message's properties, without what told of its failure, of a time to live, and of who sent it."""
    ours = {FAILURE, RECEIVE_COUNT, REPLAY_COUNT, "x-delivery-count", "x-acquired-count"}
    again = copy.copy(properties)
    again.delivery_mode, again.user_id, again.expiration = 2, None, None
    again.headers = {
        name: value
        for name, value in (properties.headers or {}).items()
        if name not in ours and not name.startswith(("x-death", "x-first-death-", "x-last-death-"))
    } | {REPLAY_COUNT: replays}
    return again


def _describe(queue: str, properties: BasicProperties, body: bytes) -> Peeked:
    headers: Any = properties.headers or {}
    failure = Failure.from_json(str(headers.get(FAILURE, "")))
    text = body.decode(errors="backslashreplace")
    sent = datetime.fromtimestamp(properties.timestamp, UTC) if properties.timestamp else None
    return Peeked(
        queue=queue,
        id=properties.message_id or "",
        sent=sent.isoformat(timespec="seconds").replace("+00:00", "Z") if sent else "",
        receive_count=failure.receive_count if failure else 0,
        replays=_replays(properties),
        error=failure.error if failure else "unknown",
        message=failure.message if failure else "",
        event_type=event_type_of(text),
        group="",
        body=text[:_EXCERPT_CHARACTERS],
    )
