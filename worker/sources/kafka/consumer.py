"""Puts the parts together, and takes them down in time."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

import boto3
from confluent_kafka import Consumer, Producer

from worker.assembly import client_config, executor_for, open_session
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.logs import Field
from worker.protection import TaskProtection
from worker.settings import Settings
from worker.sources.kafka.assignment import Assignment, Keys
from worker.sources.kafka.client import connection, consumer_configuration, producer_configuration
from worker.sources.kafka.dead_letters import DeadLetters, DeadLetterTopic
from worker.sources.kafka.poller import Poller
from worker.sources.kafka.settings import KafkaSettings, read
from worker.sources.kafka.topics import ensure_topics, open_admin
from worker.sources.stream.handling import Handling, Rejects
from worker.sources.stream.lanes import Lanes
from worker.sources.stream.on_failure import OnFailure
from worker.stopping import Stop
from worker.threads import spawn

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["run"]

CLOSE_SECONDS = 4.0
"""To leave the group; without it the partitions are free when the session ends."""
TOPIC_RETRY_SECONDS = 10.0

logger = logging.getLogger(__name__)


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Consume the topic until the stop is requested; then finish what was begun, commit it, and leave the group.

    Raises:
        SettingsError: a setting of this source is wrong, or no region is configured.
    """
    return _Consumer(settings, read(os.environ), handler, open_session(), stop).run()


class _Consumer:
    def __init__(
        self, settings: Settings, kafka: KafkaSettings, handler: Handler, session: boto3.session.Session, stop: Stop
    ) -> None:
        self._settings = settings
        self._kafka = kafka
        self._session = session
        self._stop = stop
        self._keys = Keys()
        self._executor = executor_for(settings, handler, session)
        self._lanes: Lanes[Assignment] = Lanes()
        self._handling = Handling(
            executor=self._executor,
            lanes=self._lanes,
            on_failure=DeadLetters(*self._places()),
            max_attempts=kafka.max_attempts,
            application=settings.pattern,
        )
        self._protection = TaskProtection(settings.agent_uri, busy=lambda: self._lanes.busy > 0)
        self._poller = Poller(
            Consumer(consumer_configuration(kafka, session.region_name)),
            kafka,
            self._lanes,
            self._new_assignment,
            stopping=stop.requested,
            drain_seconds=settings.drain_seconds,
        )

    def _places(self) -> list[Rejects]:
        places: list[Rejects] = []
        if self._kafka.dead_letter_topic:
            producer = Producer(producer_configuration(self._kafka, self._session.region_name))
            topic = self._kafka.dead_letter_topic
            places.append(DeadLetterTopic(producer, topic, self._kafka.topic_arn, self._settings.pattern))
        if self._kafka.on_failure_queue_url:
            client: SQSClient = self._session.client(
                "sqs", config=client_config(self._settings, read_timeout_seconds=5)
            )
            url = self._kafka.on_failure_queue_url
            places.append(OnFailure(client, url, self._kafka.topic_arn, self._settings.pattern))
        return places

    def _new_assignment(self, topic: str, partition: int, position: int | None, crashes: int) -> Assignment:
        return Assignment(
            topic,
            partition,
            position,
            crashes=crashes,
            keys=self._keys,
            batch_size=self._kafka.batch_size,
            max_attempts=self._kafka.max_attempts,
            session_seconds=self._kafka.session_seconds,
        )

    def run(self) -> ExitCode:
        drained = threading.Event()
        spawn("keys", lambda: self._extend_keys(drained), self._stop)
        spawn("protection", lambda: self._protection.watch(drained), self._stop)
        for number in range(self._settings.concurrency):
            spawn(f"handler-{number}", self._handle_until_closed, self._stop)
        poller = spawn("poller", self._poll, self._stop)
        self._stop.requested.wait()

        deadline = time.monotonic() + self._settings.drain_seconds
        logger.info("stopping", extra={Field.MESSAGES: self._lanes.busy})
        poller.join(max(0.0, deadline - time.monotonic()) + CLOSE_SECONDS)
        drained.set()
        unfinished = self._keys.all()
        if unfinished:
            logger.error(
                "the stop timeout is too short for the work in hand; it is read again",
                extra={Field.MESSAGES: len(unfinished)},
            )
            for key in unfinished:
                self._executor.abandon(key)
        self._lanes.close()
        logger.info("stopped", extra={Field.MESSAGES: self._lanes.busy})
        if self._stop.failed:
            return ExitCode.ERROR
        return ExitCode.UNFINISHED if unfinished else ExitCode.OK

    def _poll(self) -> None:
        if self._kafka.new_topics:
            admin = open_admin(connection(self._kafka, self._session.region_name, role="topics"))
            while not ensure_topics(admin, self._kafka.new_topics):
                if self._stop.requested.wait(TOPIC_RETRY_SECONDS):
                    return
        logger.info("consuming %s as %s", self._kafka.topic, self._kafka.group)
        self._poller.run()

    def _handle_until_closed(self) -> None:
        while (work := self._lanes.take()) is not None:
            self._protection.begin_work()
            self._handling.handle(work)

    def _extend_keys(self, ended: threading.Event) -> None:
        while not ended.wait(self._kafka.session_seconds / 3):
            for key in self._keys.all():
                self._executor.extend(key, self._kafka.session_seconds)
