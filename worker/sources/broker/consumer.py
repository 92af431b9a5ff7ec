"""Puts the parts together, keeps the connection, and takes all down in time."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from worker.assembly import executor_for, open_session
from worker.backoff import spread
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.logs import Field
from worker.protection import TaskProtection
from worker.settings import Settings
from worker.sources.broker.hand import Hand
from worker.sources.broker.handling import Handling
from worker.sources.broker.lanes import Lanes
from worker.sources.broker.link import Link, LinkError
from worker.sources.broker.messages import GiveBack, Message
from worker.sources.broker.settings import BrokerSettings, read
from worker.stopping import Stop
from worker.threads import spawn

__all__ = ["run"]

MAX_PAUSE_SECONDS = 10.0
CLOSE_SECONDS = 4.0
TICK_SECONDS = 0.5

logger = logging.getLogger(__name__)


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Consume the queue until the stop is requested; then finish or give back what is in hand, within the stop timeout.

    Raises:
        SettingsError: a variable of this source is wrong.
    """
    return _Consumer(settings, read(os.environ, concurrency=settings.concurrency), handler, stop).run()


@dataclass(frozen=True)
class _Session:
    """What a connection is made of; tells which one to try next."""

    settings: BrokerSettings
    hand: Hand
    deliver: Callable[[Message], None]

    def open(self, attempt: int) -> Link:
        """Connect to the endpoint whose turn it is: of an active and a standby broker only one answers."""
        endpoint = self.settings.endpoints[attempt % len(self.settings.endpoints)]
        # Each protocol has its own client library, and only one is needed.
        if self.settings.stomp:
            from worker.sources.broker.activemq import StompLink

            return StompLink(self.settings, endpoint, self.hand, self.deliver)
        from worker.sources.broker.rabbitmq import RabbitLink

        return RabbitLink(self.settings, endpoint, self.hand, self.deliver)


class _Consumer:
    def __init__(self, settings: Settings, broker: BrokerSettings, handler: Handler, stop: Stop) -> None:
        self._settings = settings
        self._broker = broker
        self._stop = stop
        self._executor = executor_for(settings, handler, open_session())
        self._hand = Hand()
        self._lanes = Lanes()
        self._protection = TaskProtection(settings.agent_uri, busy=lambda: len(self._hand) > 0)
        self._drained = threading.Event()
        self._session = _Session(broker, self._hand, self._deliver)
        self._handling = Handling(
            executor=self._executor,
            hand=self._hand,
            lanes=self._lanes,
            queue=broker.queue,
            max_receive_count=settings.max_receive_count,
            lease_seconds=broker.lease_seconds,
        )

    def run(self) -> ExitCode:
        spawn("leases", self._extend_leases, self._stop)
        spawn("protection", lambda: self._protection.watch(self._drained), self._stop)
        for number in range(self._settings.concurrency):
            spawn(f"handler-{number}", self._handle_until_closed, self._stop)
        connection = spawn("connection", self._keep_connected, self._stop)
        self._stop.requested.wait()

        deadline = time.monotonic() + self._settings.drain_seconds
        never_started = self._lanes.close()
        logger.info("stopping", extra={Field.MESSAGES: len(self._hand)})
        self._give_back(never_started)
        finished = self._hand.wait_until_empty(max(0.0, deadline - time.monotonic()))
        if not finished:
            self._interrupt()
        self._drained.set()
        connection.join(CLOSE_SECONDS)
        logger.info("stopped", extra={Field.MESSAGES: len(self._hand)})
        if self._stop.failed:
            return ExitCode.ERROR
        return ExitCode.OK if finished else ExitCode.UNFINISHED

    def _deliver(self, message: Message) -> None:
        """A message has arrived. The broker sends no more than the prefetch, so there is always room."""
        self._hand.add(message)
        if not self._stop.requested.is_set():
            self._protection.begin_work()
        if not self._lanes.add(message):
            message.link.settle(message, GiveBack())

    def _handle_until_closed(self) -> None:
        while (message := self._lanes.take()) is not None:
            self._handling.handle(message)

    def _extend_leases(self) -> None:
        while not self._drained.wait(self._broker.lease_seconds / 3):
            for key in self._hand.keys():  # noqa: SIM118 - not a mapping
                self._executor.extend(key, self._broker.lease_seconds)

    def _keep_connected(self) -> None:
        attempt = failures = 0
        while not self._stop.requested.is_set():
            try:
                link = self._session.open(attempt)
            except LinkError as error:
                attempt, failures = attempt + 1, failures + 1
                pause = spread(min(0.25 * 2 ** min(failures, 10), MAX_PAUSE_SECONDS))
                logger.error(
                    "cannot connect; trying again",
                    extra={Field.REASON: str(error), Field.DELAY_SECONDS: round(pause, 1)},
                )
                self._stop.requested.wait(pause)
                continue
            failures = 0
            try:
                self._consume(link)
            except LinkError as error:
                attempt += 1
                link.lose()
                logger.error("the connection is lost; its messages come back", extra={Field.REASON: str(error)})
            finally:
                link.close()
                self._hand.remove(self._lanes.drop(link))

    def _consume(self, link: Link) -> None:
        while not self._stop.requested.is_set():
            link.work(TICK_SECONDS)
        link.stop_deliveries()
        while not self._drained.is_set():
            link.work(TICK_SECONDS / 10)

    def _give_back(self, messages: list[Message]) -> None:
        for message in messages:
            message.link.settle(message, GiveBack())

    def _interrupt(self) -> None:
        """Free the keys of what could not be finished; the connection's end gives the messages back."""
        logger.error(
            "the stop timeout is too short for the work in hand; it is given back",
            extra={Field.MESSAGES: len(self._hand)},
        )
        for key in self._hand.keys():  # noqa: SIM118 - not a mapping
            self._executor.abandon(key)
