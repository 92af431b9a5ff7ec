"""RabbitMQ over AMQP 0-9-1, with pika."""

from __future__ import annotations

import contextlib
import copy
import logging
import ssl
import threading
from typing import Any, Final

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError
from pika.spec import Basic, BasicProperties

from contracts.messages import FAILURE, RECEIVE_COUNT
from worker.sources.broker.hand import Hand
from worker.sources.broker.link import Deliver, Link, LinkError
from worker.sources.broker.messages import Acknowledge, DeadLetter, Disposition, GiveBack, Message, Park
from worker.sources.broker.rabbitmq_topology import (
    dead_letter_exchange,
    declare,
    declare_retry_queue,
    retry_level_seconds,
)
from worker.sources.broker.settings import BrokerSettings, Endpoint

__all__ = ["AmqpLink"]

_HEARTBEAT_SECONDS = 30
_BLOCKED_SECONDS = 60
_CONNECT_SECONDS = 10
_PERSISTENT: Final = 2

# pika's own account of a lost connection is a dozen lines with tracebacks; the source logs one line.
logging.getLogger("pika").setLevel(logging.CRITICAL)


class AmqpLink(Link):
    """One connection with two channels: one that consumes, and one that publishes with confirms.

    A retry is a copy in a retry queue, confirmed by the broker before the original is acknowledged: a worker that is
    killed in between leaves two copies, which the idempotency key makes one, and never none.

    Args:
        settings: which broker and queue.
        endpoint: the one of `settings.endpoints` to try.
        hand: holds what is delivered.
        deliver: takes each message.

    Raises:
        LinkError: no connection, or the broker refused something.
        TopologyError: the queue cannot keep the order that is asked for.
    """

    def __init__(self, settings: BrokerSettings, endpoint: Endpoint, hand: Hand, deliver: Deliver) -> None:
        # In order, a message must not be overtaken while it waits: it waits in hand.
        super().__init__(hand, parks=not settings.ordered)
        self._settings = settings
        self._deliver = deliver
        self._levels: dict[int, str] = {}
        self._consuming = True
        self._cancelled_by_broker = False
        self._thread = threading.current_thread()
        try:
            self._connection = pika.BlockingConnection(_parameters(settings, endpoint))
        except (AMQPError, OSError) as error:
            raise LinkError(_sentence(error)) from error
        try:
            declare(self._connection, settings)
            self._publisher = self._connection.channel()
            self._publisher.confirm_delivery()
            self._channel = self._connection.channel()
            self._channel.basic_qos(prefetch_count=settings.prefetch)
            self._channel.add_on_cancel_callback(self._on_cancel)
            self._tag = self._channel.basic_consume(settings.queue, self._on_message)
        except (AMQPError, OSError) as error:
            self._abandon()
            raise LinkError(_sentence(error)) from error
        except BaseException:
            self._abandon()
            raise

    def work(self, timeout_seconds: float) -> None:
        try:
            self._connection.process_data_events(time_limit=timeout_seconds)
            self._carry_out_orders()
            if self._cancelled_by_broker:
                raise LinkError(f"the broker cancelled the consumer: the queue {self._settings.queue!r} was deleted")
        except (AMQPError, OSError) as error:
            raise LinkError(_sentence(error)) from error

    def stop_deliveries(self) -> None:
        if self._consuming:
            self._consuming = False
            if not self._channel.is_open:
                raise LinkError("the broker closed the channel")
            try:
                # What arrives before the broker has confirmed, pika gives back by itself.
                self._channel.basic_cancel(self._tag)
            except (AMQPError, OSError) as error:
                raise LinkError(_sentence(error)) from error

    def close(self) -> None:
        if self.alive:
            with contextlib.suppress(LinkError):
                self.stop_deliveries()
                self.work(0)
        self.lose()
        self._abandon()

    def _abandon(self) -> None:
        with contextlib.suppress(AMQPError, OSError):
            self._connection.close()

    def _wake(self) -> None:
        if threading.current_thread() is not self._thread:
            with contextlib.suppress(AMQPError):
                self._connection.add_callback_threadsafe(_nothing)

    def _on_cancel(self, frame: object) -> None:
        self._cancelled_by_broker = True

    def _on_message(
        self, channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        message = Message(
            id=properties.message_id or "",
            body=body,
            receive_count=_receive_count(method, properties),
            group="all" if self._settings.ordered else None,
            link=self,
            delivery=(method.delivery_tag, properties),
        )
        self._deliver(message)

    def _carry_out(self, message: Message, disposition: Disposition) -> None:
        tag, properties = message.delivery
        match disposition:
            case Acknowledge():
                self._channel.basic_ack(tag)
            case GiveBack():
                self._channel.basic_nack(tag, requeue=True)
            case Park():
                level = retry_level_seconds(disposition.delay_seconds)
                if level not in self._levels:
                    self._levels[level] = declare_retry_queue(self._publisher, self._settings.queue, level)
                again = _copy(properties, {RECEIVE_COUNT: disposition.receive_count}, history=False)
                again.expiration = str(max(1, round(disposition.delay_seconds * 1000)))
                self._publish("", self._levels[level], message.body, again)
                self._channel.basic_ack(tag)
            case DeadLetter():
                letter = _copy(properties, {FAILURE: disposition.failure.to_json()}, history=True)
                queue = self._settings.queue
                self._publish(dead_letter_exchange(queue), queue, message.body, letter)
                self._channel.basic_ack(tag)

    def _publish(self, exchange: str, key: str, body: bytes, properties: BasicProperties) -> None:
        """Return when the broker has the message safe; raises AMQPError when it has not, or cannot route it."""
        self._publisher.basic_publish(exchange, key, body, properties, mandatory=True)


def _parameters(settings: BrokerSettings, endpoint: Endpoint) -> pika.ConnectionParameters:
    options: dict[str, Any] = {}
    if endpoint.tls:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        options["ssl_options"] = pika.SSLOptions(context, endpoint.host)
    if settings.username is not None:
        options["credentials"] = pika.PlainCredentials(settings.username, settings.password or "")
    return pika.ConnectionParameters(
        host=endpoint.host,
        port=endpoint.port,
        virtual_host=endpoint.virtual_host,
        heartbeat=_HEARTBEAT_SECONDS,
        blocked_connection_timeout=_BLOCKED_SECONDS,
        socket_timeout=_CONNECT_SECONDS,
        stack_timeout=_CONNECT_SECONDS,
        client_properties={"connection_name": f"worker of {settings.queue}"},
        **options,
    )


def _receive_count(method: Basic.Deliver, properties: BasicProperties) -> int:
    """Attempts before this one are in our own header; deliveries that ended without a word are in the broker's.

    A classic queue does not count; it only tells that there was one before.
    """
    headers = properties.headers or {}
    failed, lost = headers.get(RECEIVE_COUNT, 0), headers.get("x-delivery-count", 1 if method.redelivered else 0)
    return 1 + sum(count for count in (failed, lost) if isinstance(count, int))


def _copy(properties: BasicProperties, headers: dict[str, Any], *, history: bool) -> BasicProperties:
    """The message's properties for a copy that outlives a restart of the broker.

    Left out: the sender's user id, which the broker compares with ours; a time to live, which would throw the copy
    away; the broker's counters; and, without `history`, its record of dead-lettering, by which it detects cycles.
    """
    copied = copy.copy(properties)
    copied.delivery_mode = _PERSISTENT
    copied.user_id = None
    copied.expiration = None
    dropped = {FAILURE, RECEIVE_COUNT, "x-delivery-count", "x-acquired-count"}
    kept = {
        name: value
        for name, value in (properties.headers or {}).items()
        if name not in dropped and (history or not name.startswith(("x-death", "x-first-death-", "x-last-death-")))
    }
    copied.headers = {**kept, **headers}
    return copied


def _sentence(error: BaseException) -> str:
    """pika's exceptions often have no text, or the text of the one inside."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
    text = str(error) or repr(error)
    return f"{type(error).__name__}: {text}" if inner is None else f"{type(error).__name__}: {inner!r}"


def _nothing() -> None:
    """Wakes the connection's thread, which then looks for orders."""
