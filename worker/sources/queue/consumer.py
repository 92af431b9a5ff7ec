"""Puts the parts together, and takes them down in time."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from aws_transport import use_bare_calls
from worker.assembly import client_config, executor_for, open_session
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.logs import Field
from worker.protection import TaskProtection
from worker.settings import Settings
from worker.sources.queue.dead_letters import DeadLetters
from worker.sources.queue.hand import Hand
from worker.sources.queue.handling import Handling
from worker.sources.queue.heartbeat import Heartbeat
from worker.sources.queue.lanes import Lanes
from worker.sources.queue.messages import Message
from worker.sources.queue.receiver import Receiver
from worker.sources.queue.settlement import LINGER_SECONDS, Settlement
from worker.sources.queue.sqs import Queue
from worker.stopping import Stop
from worker.threads import spawn

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["run"]

logger = logging.getLogger(__name__)


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Consume the queue until the stop is requested; then finish or give back what is in hand, within the stop timeout.

    Raises:
        SettingsError: no region is configured.
    """
    return _Consumer(settings, handler, open_session(), stop).run()


class _Consumer:
    def __init__(self, settings: Settings, handler: Handler, session: boto3.session.Session, stop: Stop) -> None:
        self._settings = settings
        self._stop = stop
        source = Queue(
            _sqs_without_retries(settings, session, read_timeout_seconds=5),
            settings.queue_url,
            # A long poll needs a read timeout for which nothing else should have to wait.
            poller=_sqs_without_retries(settings, session, read_timeout_seconds=settings.receive_wait_seconds + 5),
            visibility_timeout_seconds=settings.visibility_timeout_seconds,
            wait_seconds=settings.receive_wait_seconds,
        )
        self._executor = executor_for(settings, handler, session)
        self._hand = Hand(settings.visibility_timeout_seconds)
        self._lanes = Lanes(fifo=settings.fifo, limit=max(settings.concurrency, settings.batch_size))
        # A FIFO queue gives out no more of a group until what was handled is deleted.
        linger = 0.0 if settings.fifo else LINGER_SECONDS
        self._settlement = Settlement(source, self._hand, linger_seconds=linger)
        self._protection = TaskProtection(settings.agent_uri, busy=lambda: len(self._hand) > 0)
        self._heartbeat = Heartbeat(source, self._hand, self._executor)
        self._handling = Handling(
            executor=self._executor,
            hand=self._hand,
            settlement=self._settlement,
            dead_letters=_dead_letters(settings, session),
            queue_arn=source.arn,
            max_receive_count=settings.max_receive_count,
            stopping=stop.requested,
        )
        self._receiver = Receiver(
            source=source,
            batch_size=settings.batch_size,
            lanes=self._lanes,
            hand=self._hand,
            settlement=self._settlement,
            protection=self._protection,
            stop=stop,
        )

    def run(self) -> ExitCode:
        drained = threading.Event()
        spawn("heartbeat", lambda: self._heartbeat.run(drained), self._stop)
        spawn("protection", lambda: self._protection.watch(drained), self._stop)
        deleter = spawn("deleter", self._settlement.run, self._stop)
        for number in range(self._settings.concurrency):
            spawn(f"handler-{number}", self._handle_until_closed, self._stop)
        receiver = spawn("receiver", self._receiver.run, self._stop)
        logger.info("consuming %s", self._settings.queue_url)
        self._stop.requested.wait()

        deadline = time.monotonic() + self._settings.drain_seconds
        never_started = self._lanes.close()
        logger.info("stopping", extra={Field.MESSAGES: len(self._hand)})
        self._settlement.give_back_with_reason(never_started, "the worker stops")
        receiver.join(max(0.0, deadline - time.monotonic()))
        finished = self._hand.wait_until_empty(max(0.0, deadline - time.monotonic()))
        if not finished:
            self._interrupt()
        drained.set()
        self._settlement.close()
        if finished:
            deleter.join(1.0)
        logger.info("stopped", extra={Field.MESSAGES: len(self._hand)})
        if self._stop.failed:
            return ExitCode.ERROR
        return ExitCode.OK if finished else ExitCode.UNFINISHED

    def _handle_until_closed(self) -> None:
        while (message := self._lanes.take()) is not None:
            settled = self._handling.handle(message)
            rest = self._lanes.finish(message, settled=settled)
            self._settlement.give_back_with_reason(rest, "an earlier message of the group comes back first")

    def _interrupt(self) -> None:
        """Give back what could not be finished, and free its keys, so that another worker can begin at once."""
        keys: dict[Message, str | None] = self._hand.keys()
        logger.error("the stop timeout is too short for the work in hand", extra={Field.MESSAGES: len(keys)})
        for key in keys.values():
            if key is not None:
                self._executor.abandon(key)
        self._settlement.give_back_with_reason(list(keys), "interrupted by the end of the stop timeout")


def _sqs_without_retries(
    settings: Settings, session: boto3.session.Session, *, read_timeout_seconds: float
) -> SQSClient:
    """Each call of the queue's own is repeated by who makes it: the receiver, the settlement, the next heartbeat."""
    config = client_config(settings, read_timeout_seconds=read_timeout_seconds)
    client: SQSClient = session.client("sqs", config=config.merge(Config(retries={"total_max_attempts": 1})))
    return use_bare_calls(client, session)


def _dead_letters(settings: Settings, session: boto3.session.Session) -> DeadLetters | None:
    if not settings.dead_letter_queue_url:
        return None
    client: SQSClient = session.client("sqs", config=client_config(settings, read_timeout_seconds=5))
    return DeadLetters(client, settings.dead_letter_queue_url)
