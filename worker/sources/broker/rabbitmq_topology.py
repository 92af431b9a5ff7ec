"""What the worker declares on RabbitMQ: its queue, the dead letters, and where messages wait for their next attempt.

::

    producers ──▶ <queue> ──▶ worker ──▶ <queue>.dlx ──▶ <queue>.dlq
                     ▲           │
                     └── TTL ── <queue>.retry.<n>s

All are quorum queues: replicated over a cluster, and the only ones that count deliveries, so that a message that kills
its worker is found out. Where a queue hands messages on by itself it does so at least once, which RabbitMQ can since
3.10 (rabbitmq.com/docs/quorum-queues, "dead-lettering").
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pika.exceptions import ChannelClosedByBroker

from worker.logs import Field

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

    from worker.sources.broker.settings import BrokerSettings

__all__ = ["RESOURCE_LOCKED", "dead_letter_exchange", "declare", "order_lock", "retry_level_seconds", "retry_queue"]

_DELIVERY_LIMIT = 1_000_000
"""RabbitMQ 4 drops a message after 20 deliveries unless a limit is set, and a queue with a limit puts what is given
back at its head, which keeps order. The worker counts the attempts itself: the limit need only be out of reach."""

_PRECONDITION_FAILED = 406
RESOURCE_LOCKED = 405
"""AMQP 0-9-1: another connection has the exclusive queue."""

_QUORUM: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": _DELIVERY_LIMIT}
_AT_LEAST_ONCE: dict[str, Any] = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}

logger = logging.getLogger(__name__)


def dead_letter_exchange(queue: str) -> str:
    return f"{queue}.dlx"


def declare(connection: BlockingConnection, settings: BrokerSettings) -> None:
    """Make what is missing. A queue that is there with other arguments is used as it is, with a warning.

    The retry queues are made when they are needed first: `retry_queue`.
    """
    exchange = dead_letter_exchange(settings.queue)
    channel = connection.channel()
    channel.exchange_declare(exchange, exchange_type="direct", durable=True)
    channel = _queue(connection, channel, settings.dead_letter_queue, _QUORUM)
    channel.queue_bind(settings.dead_letter_queue, exchange, routing_key=settings.queue)
    arguments = {
        **_QUORUM,
        **_AT_LEAST_ONCE,
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-routing-key": settings.queue,
    }
    channel = _queue(connection, channel, settings.queue, arguments)
    channel.close()


def _queue(
    connection: BlockingConnection, channel: BlockingChannel, name: str, arguments: dict[str, Any]
) -> BlockingChannel:
    """Declare a queue; returns a channel that is still open: a refusal closes it."""
    try:
        channel.queue_declare(name, durable=True, arguments=arguments)
    except ChannelClosedByBroker as error:
        if error.reply_code != _PRECONDITION_FAILED:
            raise
        logger.warning(
            "the queue %s exists with other arguments; it is used as it is",
            name,
            extra={Field.REASON: error.reply_text},
        )
        channel = connection.channel()
    return channel


def order_lock(queue: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the exclusive queue whose owner consumes `queue` alone. Only a classic one can be it."""
    return f"{queue}.order", {"x-queue-type": "classic"}


def retry_level_seconds(delay_seconds: float) -> int:
    """The retry queue for a delay: the next power of two.

    A queue gives up its messages in order, so in one queue for all a long delay would hold up the short ones behind it;
    with one per power of two a message is late by no more than its own delay.
    """
    level = 1
    while level < delay_seconds:
        level *= 2
    return level


def retry_queue(queue: str, level_seconds: int) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the retry queue of one level. Its messages return to `queue` when their time is up."""
    arguments = {
        **_QUORUM,
        **_AT_LEAST_ONCE,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue,
        "x-message-ttl": level_seconds * 1000,
    }
    return f"{queue}.retry.{level_seconds}s", arguments
