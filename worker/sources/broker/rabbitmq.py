"""RabbitMQ over AMQP 0-9-1, with pika."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pika
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from contracts.messages import FAILURE, RECEIVE_COUNT
from worker.sources.broker.hand import Hand
from worker.sources.broker.link import Deliver, Link, LinkError
from worker.sources.broker.messages import Acknowledge, DeadLetter, Disposition, GiveBack, Message, Park
from worker.sources.broker.rabbitmq_connection import CONNECT_SECONDS, connection_parameters, sentence
from worker.sources.broker.rabbitmq_messages import copied_properties, receive_count
from worker.sources.broker.rabbitmq_topology import (
    RESOURCE_LOCKED,
    dead_letter_exchange,
    declare,
    order_lock,
    retry_level_seconds,
    retry_queue,
)
from worker.sources.broker.settings import BrokerSettings, Endpoint

__all__ = ["RabbitLink"]

_CONFIRM_SECONDS = 60.0
_CLOSE_SECONDS = 2.0
_IN_LINE_SECONDS = 1.0
_LOOK_SECONDS = 0.05
_PROMPT_SECONDS = 0.2
_ANSWERS = 2
"""RabbitMQ says that a quorum queue has no consumers also when its leader has not answered within 250 ms, and at once
when there is no leader: only prompt answers count, and so many in a row."""
_FORGET_SECONDS = 5.0
"""A queue forgets a consumer when its connection has ended; after so long, somebody else is consuming it, or the broker
cannot say."""

logger = logging.getLogger(__name__)

# pika's own account of a lost connection is a dozen lines with tracebacks; the source logs one line.
logging.getLogger("pika").setLevel(logging.CRITICAL)


@dataclass
class _Copy:
    """A message on its way to another queue.

    Attributes:
        original: what it is a copy of, acknowledged as soon as the broker has confirmed the copy.
        tag: the delivery tag of the original.
        due: when the broker is given up, by the monotonic clock.
    """

    original: Message
    tag: int
    due: float


class RabbitLink(Link):
    """One connection with two channels: one that consumes, and one that publishes with confirms.

    A retry is a copy in a retry queue, confirmed by the broker before the original is acknowledged: a worker that is
    killed in between leaves two copies, which the idempotency key makes one, and never none. Nothing here waits for a
    confirmation: a queue that has lost its majority gives none, and must not hold up the others.

    Order needs one consumer at a time, and the next one only when everything is given back. RabbitMQ's "single active
    consumer" activates the next one first (seen on 3.10's quorum queues), so the connection that holds an exclusive
    queue consumes, and the others wait for that queue to disappear with its connection; then for the queue to have
    forgotten the one before, whose messages are back in order from that moment on.

    Args:
        settings: which broker and queue.
        endpoint: the one of `settings.endpoints` to try.
        hand: holds what is delivered.
        deliver: takes each message.

    Raises:
        LinkError: no connection, or the broker refused something.
    """

    def __init__(self, settings: BrokerSettings, endpoint: Endpoint, hand: Hand, deliver: Deliver) -> None:
        # In order, a message must not be overtaken while it waits: it waits in hand.
        super().__init__(hand, parks=not settings.ordered)
        self._settings = settings
        self._deliver = deliver
        self._broken: str | None = None
        self._consuming = False
        self._in_line = False
        self._closing = False
        self._leaving = False
        self._retry_queues: dict[int, str] = {}
        self._channel: Channel | None = None
        self._published = 0
        self._copies: dict[int, _Copy] = {}
        parameters = connection_parameters(settings, endpoint)
        try:
            with pika.BlockingConnection(parameters) as connection:
                declare(connection, settings)
        except (AMQPError, OSError) as error:
            raise LinkError(sentence(error)) from error
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=lambda _, error: self._break(error),
            on_close_callback=lambda _, error: self._break(error),
        )
        try:
            self._spin(lambda: self._consuming or self._in_line, timeout_seconds=2 * CONNECT_SECONDS)
            if not (self._consuming or self._in_line):
                raise LinkError("the broker does not answer")
        except BaseException:
            self._abandon()
            raise

    # -- from outside ----------------------------------------------------------------------------------------------

    def work(self, timeout_seconds: float) -> None:
        self._spin(None, timeout_seconds)
        self._carry_out_orders_or_break()
        if self._copies and next(iter(self._copies.values())).due < time.monotonic():
            raise LinkError(f"the broker has not confirmed a copy within {_CONFIRM_SECONDS:g} s")

    def stop_deliveries(self) -> None:
        self._leaving = True
        # What still arrives is given back by whom it is delivered to. In order nothing is cancelled: a delivery that
        # meets the cancel on its way is given back by RabbitMQ at once, ahead of those in hand (seen on 3.10).
        if self._consuming and not self._settings.ordered:
            self._consuming = False
            self._check()
            self._open_channel.basic_cancel(self._tag)

    def close(self) -> None:
        if self.alive:
            with contextlib.suppress(LinkError, AMQPError):
                self.stop_deliveries()
                self._carry_out_orders_or_break()
                self._spin(lambda: not self._copies, _CLOSE_SECONDS)
        self.lose()
        self._abandon()

    def lose(self) -> None:
        super().lose()
        for copied in self._copies.values():
            self._done(copied.original)
        self._copies.clear()

    def _abandon(self) -> None:
        self._closing = True
        with contextlib.suppress(AMQPError, OSError):
            if self._connection.is_open:
                self._connection.close()
                self._spin(lambda: self._connection.is_closed, _CLOSE_SECONDS)
        self._connection.ioloop.close()

    def _wake(self) -> None:
        loop = self._connection.ioloop
        loop.add_callback_threadsafe(loop.stop)

    def _spin(self, until: Callable[[], bool] | None, timeout_seconds: float) -> None:
        """Let pika work until it is woken, or until a condition holds, or until the time is up.

        Raises:
            LinkError: the connection is lost.
        """
        deadline = time.monotonic() + timeout_seconds
        loop = self._connection.ioloop
        while True:
            timer = loop.call_later(max(0.0, deadline - time.monotonic()), loop.stop)
            try:
                loop.start()
            except OSError as error:
                raise LinkError(sentence(error)) from error
            finally:
                loop.remove_timeout(timer)
            if not self._closing:
                self._check()
            if until is None or until() or time.monotonic() >= deadline:
                return

    @property
    def _open_channel(self) -> Channel:
        if self._channel is None:
            raise LinkError("the broker has not opened a channel")
        return self._channel

    def _check(self) -> None:
        if self._broken is not None:
            raise LinkError(self._broken)

    def _carry_out_orders_or_break(self) -> None:
        try:
            self._carry_out_orders()
        except AMQPError as error:
            raise LinkError(self._broken or sentence(error)) from error

    # -- called by pika, one after the other -------------------------------------------------------------------------

    def _break(self, error: BaseException | str) -> None:
        if self._broken is None:
            self._broken = error if isinstance(error, str) else sentence(error)
        self._connection.ioloop.stop()

    def _on_open(self, _: object) -> None:
        self._connection.channel(on_open_callback=self._on_publisher_open)

    def _on_publisher_open(self, channel: Channel) -> None:
        self._publisher = channel
        channel.add_on_close_callback(lambda _, error: self._break(error))
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=self._on_confirming)

    def _on_confirming(self, _: object) -> None:
        if self._settings.ordered:
            self._stand_in_line()
        else:
            self._begin()

    def _stand_in_line(self) -> None:
        if not self._leaving and self._connection.is_open:
            self._connection.channel(on_open_callback=self._on_line_open)

    def _on_line_open(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_line_closed)
        name, arguments = order_lock(self._settings.queue)
        deadline = time.monotonic() + _FORGET_SECONDS
        asked_at = 0.0
        nobody = 0

        def look(_: object = None) -> None:
            nonlocal asked_at
            if not self._leaving and channel.is_open:
                asked_at = time.monotonic()
                channel.queue_declare(self._settings.queue, passive=True, callback=on_count)

        def on_count(frame: Any) -> None:
            nonlocal nobody
            now, others = time.monotonic(), frame.method.consumer_count
            nobody = nobody + 1 if not others and now - asked_at < _PROMPT_SECONDS else 0
            if nobody < _ANSWERS and now < deadline:
                self._connection.ioloop.call_later(_LOOK_SECONDS, look)
                return
            if others:
                logger.warning("others consume %s too (%d of them): order is not kept", self._settings.queue, others)
            elif nobody < _ANSWERS:
                logger.warning("the broker is too slow to say who consumes %s: order may be lost", self._settings.queue)
            self._begin()

        channel.queue_declare(name, exclusive=True, arguments=arguments, callback=look)

    def _on_line_closed(self, _: object, error: BaseException) -> None:
        if not isinstance(error, ChannelClosedByBroker) or error.reply_code != RESOURCE_LOCKED:
            self._break(error)
            return
        if not self._in_line:
            logger.info("another task consumes %s in order; this one waits", self._settings.queue)
            self._in_line = True
            self._connection.ioloop.stop()
        self._connection.ioloop.call_later(_IN_LINE_SECONDS, self._stand_in_line)

    def _begin(self) -> None:
        if self._leaving:
            return
        self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _, error: self._break(error))
        channel.add_on_cancel_callback(
            lambda _: self._break(f"the broker cancelled the consumer: is the queue {self._settings.queue!r} deleted?")
        )
        channel.basic_qos(prefetch_count=self._settings.prefetch, callback=self._on_prefetch)

    def _on_prefetch(self, _: object) -> None:
        self._tag = self._open_channel.basic_consume(
            self._settings.queue, self._on_message, callback=self._on_consuming
        )

    def _on_consuming(self, _: object) -> None:
        self._consuming = True
        logger.info("consuming %s", self._settings.queue)
        self._connection.ioloop.stop()

    def _on_message(self, _: object, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        message = Message(
            id=properties.message_id or "",
            body=body,
            receive_count=receive_count(method, properties),
            group="all" if self._settings.ordered else None,
            link=self,
            delivery=(method.delivery_tag, properties),
        )
        self._deliver(message)

    def _on_return(self, _: object, method: Basic.Return, properties: BasicProperties, body: bytes) -> None:
        """A copy that no queue takes. Its confirmation follows, and would have the original acknowledged."""
        where = method.exchange or method.routing_key
        self._break(f"the broker cannot route a copy to {where!r} ({method.reply_text}): is it deleted?")

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        if self._broken is not None:
            return
        if isinstance(method, Basic.Nack):
            self._break("the broker refused a copy")
            return
        tags = [tag for tag in self._copies if tag <= method.delivery_tag] if method.multiple else [method.delivery_tag]
        for tag in tags:
            if copied := self._copies.pop(tag, None):
                self._open_channel.basic_ack(copied.tag)
                self._done(copied.original)
        if not self._copies:
            self._connection.ioloop.stop()

    # -- settlements -------------------------------------------------------------------------------------------------

    def _carry_out(self, message: Message, disposition: Disposition) -> None:
        tag, properties = message.delivery
        queue = self._settings.queue
        match disposition:
            case Acknowledge():
                self._open_channel.basic_ack(tag)
                self._done(message)
            case GiveBack():
                # In order, everything goes back at once, when the connection closes.
                if not self._settings.ordered:
                    self._open_channel.basic_nack(tag, requeue=True)
                self._done(message)
            case Park():
                again = copied_properties(properties, {RECEIVE_COUNT: disposition.receive_count}, history=False)
                again.expiration = str(max(1, round(disposition.delay_seconds * 1000)))
                self._publish("", self._retry_queue(disposition.delay_seconds), again, message, tag)
            case DeadLetter():
                letter = copied_properties(properties, {FAILURE: disposition.failure.to_json()}, history=True)
                self._publish(dead_letter_exchange(queue), queue, letter, message, tag)

    def _retry_queue(self, delay_seconds: float) -> str:
        level = retry_level_seconds(delay_seconds)
        if level not in self._retry_queues:
            name, arguments = retry_queue(self._settings.queue, level)
            # Without an answer to wait for: the broker does first what comes first on a channel.
            self._publisher.queue_declare(name, durable=True, arguments=arguments)
            self._retry_queues[level] = name
        return self._retry_queues[level]

    def _publish(self, exchange: str, key: str, properties: BasicProperties, original: Message, tag: int) -> None:
        self._publisher.basic_publish(exchange, key, original.body, properties, mandatory=True)
        self._published += 1
        self._copies[self._published] = _Copy(original, tag, time.monotonic() + _CONFIRM_SECONDS)
