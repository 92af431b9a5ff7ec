"""Puts the parts together, and takes them down in time."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from typing import TYPE_CHECKING

import boto3

from contracts import environment as names
from worker.assembly import client_config, executor_for, open_session
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.identity import worker_name
from worker.logs import Field
from worker.protection import TaskProtection
from worker.settings import Settings
from worker.sources.stream import lag
from worker.sources.stream.balancer import Balancer
from worker.sources.stream.handling import Handling
from worker.sources.stream.holding import Holding
from worker.sources.stream.keeper import Keeper
from worker.sources.stream.kinesis import PollingReader, Reader, list_shards
from worker.sources.stream.lanes import Lanes
from worker.sources.stream.lease_table import LeaseTable
from worker.sources.stream.leases import Lease
from worker.sources.stream.on_failure import OnFailure
from worker.sources.stream.settings import StreamSettings, read
from worker.sources.stream.subscription import SubscribedReader
from worker.stopping import Stop
from worker.threads import spawn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

__all__ = ["run"]

_READ_TIMEOUT_SECONDS = 15.0
"""Of Kinesis: a subscription is silent for five seconds at most, and an answer may have 10 MB."""

logger = logging.getLogger(__name__)


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Consume the stream until the stop is requested; then finish what was begun, and let go of the shards.

    Raises:
        SettingsError: a setting of this source is wrong, or no region is configured.
    """
    return _Consumer(settings, read(os.environ), handler, open_session(), stop).run()


class _Consumer:
    def __init__(
        self,
        settings: Settings,
        stream: StreamSettings,
        handler: Handler,
        session: boto3.session.Session,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._stop = stop
        self._session = session
        lease_client: DynamoDBClient = session.client(
            "dynamodb", config=client_config(settings, read_timeout_seconds=max(1.0, stream.lease_seconds / 8))
        )
        queue_client: SQSClient = session.client("sqs", config=client_config(settings, read_timeout_seconds=5))
        self._kinesis: KinesisClient = session.client(
            "kinesis", config=client_config(settings, read_timeout_seconds=_READ_TIMEOUT_SECONDS)
        )
        table = LeaseTable(lease_client, stream.lease_table)
        executor = executor_for(settings, handler, session)
        self._lanes: Lanes[Holding] = Lanes()
        self._keeper = Keeper(
            table,
            self._lanes,
            executor,
            lease_seconds=stream.lease_seconds,
            on_change=lambda: self._balancer.wake(),
        )
        self._balancer = Balancer(
            table,
            lambda: list_shards(self._kinesis, stream.stream_arn),
            f"{worker_name(os.environ)}/{uuid.uuid4()}",
            holds=self._keeper.holds,
            begin=self._begin,
            start=stream.start,
            lease_seconds=stream.lease_seconds,
        )
        self._handling = Handling(
            executor=executor,
            lanes=self._lanes,
            on_failure=OnFailure(queue_client, stream.on_failure_queue_url, stream.stream_arn, settings.pattern),
            application=settings.pattern,
            max_attempts=stream.max_attempts,
        )
        self._protection = TaskProtection(settings.agent_uri, busy=lambda: self._lanes.busy > 0)

    def run(self) -> ExitCode:
        drained = threading.Event()
        spawn("keeper", lambda: self._keeper.run(drained), self._stop)
        spawn("protection", lambda: self._protection.watch(drained), self._stop)
        spawn("lag", lambda: self._publish_lag(drained), self._stop)
        for number in range(self._settings.concurrency):
            spawn(f"handler-{number}", self._handle_until_closed, self._stop)
        balancer = spawn("balancer", lambda: self._balancer.run(self._stop.requested), self._stop)
        logger.info("consuming %s", self._stream.stream_arn)
        self._stop.requested.wait()

        deadline = time.monotonic() + self._settings.drain_seconds
        logger.info("stopping", extra={Field.MESSAGES: self._lanes.busy})
        self._keeper.close()
        self._balancer.wake()
        balancer.join(max(0.0, deadline - time.monotonic()))
        finished = self._keeper.wait_until_empty(max(0.0, deadline - time.monotonic()))
        drained.set()
        if not finished:
            logger.error(
                "the stop timeout is too short for the work in hand; its shards are let go",
                extra={Field.MESSAGES: self._lanes.busy},
            )
            self._keeper.release_unfinished()
        self._lanes.close()
        logger.info("stopped", extra={Field.MESSAGES: self._lanes.busy})
        if self._stop.failed:
            return ExitCode.ERROR
        return ExitCode.OK if finished else ExitCode.UNFINISHED

    def _begin(self, lease: Lease, sent_at: float) -> None:
        holding = Holding(
            lease,
            self._keeper.valid_until(sent_at),
            batch_size=self._stream.batch_size,
            max_attempts=self._stream.max_attempts,
        )
        self._keeper.add(holding)
        reader = self._reader(lease, holding)
        spawn(f"reader-{lease.shard_id}", lambda: holding.read(reader, self._lanes), self._stop)

    def _reader(self, lease: Lease, holding: Holding) -> Reader:
        if self._stream.consumer_arn is None:
            return PollingReader(
                self._kinesis,
                self._stream.stream_arn,
                lease.shard_id,
                lease.checkpoint,
                wait=holding.draining.wait,
            )
        return SubscribedReader(
            self._kinesis, self._stream.consumer_arn, lease.shard_id, lease.checkpoint, wait=holding.draining.wait
        )

    def _handle_until_closed(self) -> None:
        while (work := self._lanes.take()) is not None:
            self._protection.begin_work()
            self._handling.handle(work)

    def _publish_lag(self, ended: threading.Event) -> None:
        stack = os.environ.get(names.STACK, "")
        while stack and not ended.wait(lag.PUBLISH_SECONDS):
            lags = [holding.lag_seconds() for holding in self._keeper.holdings()]
            lag.publish(stack, self._settings.pattern, lags)
