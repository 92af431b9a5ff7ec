"""ActiveMQ over STOMP 1.2, with stomp.py."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import uuid
from typing import Any

import stomp
from stomp.exception import StompException
from stomp.utils import Frame

from contracts.messages import FAILURE
from worker.sources.broker.hand import Hand
from worker.sources.broker.link import Deliver, Link, LinkError
from worker.sources.broker.messages import Acknowledge, DeadLetter, Disposition, Message
from worker.sources.broker.settings import BrokerSettings, Endpoint

__all__ = ["StompLink"]

_HEARTBEATS_MS = (10_000, 10_000)
_ANSWER_SECONDS = 10.0
_SUBSCRIPTION = "worker"

# Written by the broker or by us for each frame; the rest is the producer's, and goes with a dead letter.
_OF_THE_FRAME = frozenset(
    {
        "ack",
        "content-length",
        "destination",
        "expires",
        "message-id",
        "persistent",
        "receipt",
        "redelivered",
        "subscription",
        "timestamp",
        "transaction",
        FAILURE,
    }
)

logger = logging.getLogger(__name__)

# Lost connections are logged once, by the source.
logging.getLogger("stomp.py").setLevel(logging.CRITICAL)


class StompLink(Link):
    """One connection with one subscription, acknowledged message by message.

    STOMP cannot give back a message with a delay (ActiveMQ takes a NACK for poison), so a failed message waits in hand
    for its next attempt; closing the connection gives back everything that is not acknowledged. A dead letter is sent
    and the original acknowledged in one transaction.

    Args:
        settings: which broker and queue.
        endpoint: the one of `settings.endpoints` to try.
        hand: holds what is delivered.
        deliver: takes each message, on the library's thread.

    Raises:
        LinkError: no connection, or the broker refused something.
    """

    def __init__(self, settings: BrokerSettings, endpoint: Endpoint, hand: Hand, deliver: Deliver) -> None:
        super().__init__(hand, parks=False)
        self._settings = settings
        self._deliver = deliver
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._receipts: dict[str, threading.Event] = {}
        self._broken: str | None = None
        self._stopping = False
        self._connection = _connection(settings, endpoint)
        self._connection.set_listener("link", _Listener(self))
        try:
            self._connection.connect(settings.username, settings.password, wait=True)
            self._check()
            self._subscribe()
        except (StompException, OSError) as error:
            self._abandon()
            raise LinkError(self._broken or f"{type(error).__name__}: {error or endpoint}") from error
        except LinkError:
            self._abandon()
            raise

    def _subscribe(self) -> None:
        headers = {"activemq.prefetchSize": str(self._settings.prefetch)}
        if self._settings.ordered:
            # One consumer at a time gets all messages; another takes over when it is gone.
            headers["activemq.exclusive"] = "true"
        receipt = self._receipt()
        self._connection.subscribe(
            _destination(self._settings.queue), id=_SUBSCRIPTION, ack="client-individual", headers=headers | receipt
        )
        self._await(receipt)
        logger.info("consuming %s", self._settings.queue)

    def work(self, timeout_seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._wakes.get(timeout=timeout_seconds)
        self._check()
        try:
            self._carry_out_orders()
        except (StompException, OSError) as error:
            raise LinkError(self._broken or f"{type(error).__name__}: {error}") from error

    def stop_deliveries(self) -> None:
        """Without UNSUBSCRIBE, which would give back what is being handled, too: what arrives is not taken in."""

    def close(self) -> None:
        if self.alive:
            with contextlib.suppress(LinkError, StompException, OSError):
                self.work(0)
                # The broker answers in order: with the answer, it has seen all acknowledgements.
                receipt = self._receipt()
                self._stopping = True
                self._connection.send_frame("DISCONNECT", receipt)
                self._await(receipt)
        self.lose()
        self._abandon()

    def _abandon(self) -> None:
        self._stopping = True
        with contextlib.suppress(Exception):  # the library raises whatever its socket does
            self._connection.transport.stop()
            self._connection.transport.disconnect_socket()

    def _wake(self) -> None:
        self._wakes.put(None)

    def _check(self) -> None:
        if self._broken is not None:
            raise LinkError(self._broken)

    def _receipt(self) -> dict[str, str]:
        name = uuid.uuid4().hex
        self._receipts[name] = threading.Event()
        return {"receipt": name}

    def _await(self, receipt: dict[str, str]) -> None:
        answered = self._receipts[receipt["receipt"]]
        if not answered.wait(_ANSWER_SECONDS):
            raise LinkError(f"the broker did not answer within {_ANSWER_SECONDS:g} s")
        del self._receipts[receipt["receipt"]]
        self._check()

    def _carry_out(self, message: Message, disposition: Disposition) -> None:
        frame: Frame = message.delivery
        match disposition:
            case Acknowledge():
                self._connection.ack(frame.headers["ack"])
            case DeadLetter():
                headers: dict[str, Any] = {
                    name: value for name, value in frame.headers.items() if name not in _OF_THE_FRAME
                }
                if "content-length" in frame.headers:  # it tells bytes from a text
                    headers["content-length"] = len(message.body)
                headers |= {"persistent": "true", FAILURE: disposition.failure.to_json()}
                receipt = self._receipt()
                transaction = self._connection.begin()
                self._connection.send(
                    _destination(self._settings.dead_letter_queue),
                    message.body,
                    headers=headers,
                    transaction=transaction,
                )
                self._connection.ack(frame.headers["ack"], transaction=transaction)
                self._connection.send_frame("COMMIT", {"transaction": transaction, **receipt})
                self._await(receipt)
        self._done(message)

    # -- on the library's thread ---------------------------------------------------------------------------------

    def received(self, frame: Frame) -> None:
        if self._stopping:
            return
        body = frame.body if isinstance(frame.body, bytes) else str(frame.body or "").encode()
        message = Message(
            id=frame.headers.get("message-id", ""),
            body=body,
            # ActiveMQ tells STOMP only whether there was a delivery before, and that one need not have been an attempt.
            receive_count=1,
            # A message group is not told either; ActiveMQ gives each to one consumer, which is not yet an order.
            group="all" if self._settings.ordered else None,
            link=self,
            delivery=frame,
        )
        self._deliver(message)

    def answered(self, receipt: str) -> None:
        if event := self._receipts.get(receipt):
            event.set()

    def broke(self, why: str) -> None:
        if self._broken is None:
            self._broken = why
        for event in list(self._receipts.values()):
            event.set()
        self._wake()


class _Listener(stomp.ConnectionListener):  # type: ignore[misc]  # the library has no type information
    def __init__(self, link: StompLink) -> None:
        self._link = link

    def on_message(self, frame: Frame) -> None:
        self._link.received(frame)

    def on_receipt(self, frame: Frame) -> None:
        self._link.answered(frame.headers.get("receipt-id", ""))

    def on_error(self, frame: Frame) -> None:
        body = frame.body.decode(errors="replace") if isinstance(frame.body, bytes) else frame.body
        first = str(body or "").strip().partition("\n")[0]
        self._link.broke(f"the broker answered ERROR: {frame.headers.get('message') or first}")

    def on_heartbeat_timeout(self) -> None:
        self._link.broke("the broker's heartbeats stopped")

    def on_disconnected(self) -> None:
        self._link.broke("the connection was closed")


def _connection(settings: BrokerSettings, endpoint: Endpoint) -> Any:
    address = [(endpoint.host, endpoint.port)]
    connection = stomp.Connection12(
        address,
        try_loopback_connect=False,
        reconnect_attempts_max=1,
        timeout=_ANSWER_SECONDS,
        heartbeats=_HEARTBEATS_MS,
        vhost=endpoint.host,
        auto_decode=False,
        auto_content_length=False,
    )
    if endpoint.tls:
        connection.set_ssl(address, ca_certs=settings.ca_file)
    return connection


def _destination(name: str) -> str:
    return f"/queue/{name}"
