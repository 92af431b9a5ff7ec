"""Lanes that poll an activity: each asks for a task, handles it to its report, and asks again.

A poll cannot be called off: Step Functions may hand a task to a connection that is being closed, and only its missing
heartbeat would tell. So after SIGTERM each lane ends its poll, up to a minute, and gives back what it still gets.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contracts import environment as names
from worker.assembly import client_config, executor_for, open_session
from worker.backoff import spread
from worker.errors import SettingsError
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.logs import Field, Outcome
from worker.protection import TaskProtection
from worker.settings import Reader, Settings
from worker.stopping import Stop
from worker.threads import spawn
from worker.workflow.reporting import TaskToken
from worker.workflow.settings import heartbeat_seconds
from worker.workflow.stepping import Ending, Stepper, interrupt

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["POLL_SECONDS", "run"]

POLL_SECONDS = 60
"""GetActivityTask answers within this time, with a task or without."""
_MAX_PAUSE_SECONDS = 20.0

logger = logging.getLogger(__name__)


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Work on the activity's tasks until the stop is requested.

    Raises:
        SettingsError: there is no activity, or no heartbeat.
    """
    reader = Reader(os.environ)
    arn = reader.required(names.ACTIVITY_ARN, "the ARN of the activity to poll")
    if arn and ":activity:" not in arn:
        reader.mistakes.append(f"{names.ACTIVITY_ARN}: {arn!r} is not an activity; allowed: arn:…:activity:name")
    heartbeat = heartbeat_seconds(reader)
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    session = open_session()
    # One attempt: botocore would begin a second poll while the first may still be given a task.
    polling = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=POLL_SECONDS + 10,
        max_pool_connections=settings.concurrency,
    )
    poller: SFNClient = session.client("stepfunctions", config=polling)
    reports = client_config(settings, read_timeout_seconds=10)
    # A heart and a report for each lane at the same time.
    reports = reports.merge(Config(max_pool_connections=2 * settings.concurrency))
    reporter: SFNClient = session.client("stepfunctions", config=reports)
    stepper = Stepper(
        reporter,
        executor_for(settings, handler, session),
        stop,
        heartbeat_seconds=heartbeat,
        drain_seconds=settings.drain_seconds,
        dies=False,
    )
    return _Pool(poller, reporter, arn, stepper, settings, stop).run()


class _Pool:
    def __init__(
        self, poller: SFNClient, reporter: SFNClient, arn: str, stepper: Stepper, settings: Settings, stop: Stop
    ) -> None:
        self._poller = poller
        self._reporter = reporter
        self._arn = arn
        self._stepper = stepper
        self._settings = settings
        self._stop = stop
        self._lock = threading.Lock()
        self._busy = 0
        self._given_back = 0
        self._protection = TaskProtection(settings.agent_uri, lambda: self._busy > 0)

    def run(self) -> ExitCode:
        logger.info("polling the activity")
        lanes = [spawn(f"lane-{number}", self._lane, self._stop) for number in range(self._settings.concurrency)]
        spawn("protection", lambda: self._protection.watch(self._stop.requested), self._stop)
        self._stop.requested.wait()
        stop_timeout = self._settings.stop_timeout_seconds
        # After the drain, so that the lanes can report what they give back; before SIGKILL.
        deadline = time.monotonic() + stop_timeout - min(1.0, stop_timeout / 8)
        for lane in lanes:
            lane.join(max(0.0, deadline - time.monotonic()))
        if self._stop.failed:
            return ExitCode.ERROR
        if self._busy or self._given_back:
            return ExitCode.UNFINISHED
        if any(lane.is_alive() for lane in lanes):
            logger.warning("the stop timeout is shorter than a poll, which was cut off")
        return ExitCode.OK

    def _lane(self) -> None:
        worker_name = f"{self._settings.pattern}@{socket.gethostname()}"[:80]
        failures = 0
        while not self._stop.requested.is_set():
            try:
                answer = self._poller.get_activity_task(activityArn=self._arn, workerName=worker_name)
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ActivityDoesNotExist":
                    raise
                failures += 1
                pause = spread(min(2.0 ** min(failures - 1, 10), _MAX_PAUSE_SECONDS))
                logger.warning("a poll failed", extra={Field.REASON: str(error), Field.DELAY_SECONDS: round(pause, 1)})
                self._stop.requested.wait(pause)
                continue
            failures = 0
            if answer.get("taskToken"):
                self._take(answer["taskToken"], answer.get("input", ""))

    def _take(self, token: str, text: str) -> None:
        if self._stop.requested.is_set():
            logger.warning("a task came while stopping", extra={Field.OUTCOME: Outcome.GIVEN_BACK})
            interrupt(TaskToken(self._reporter, token, beat_seconds=POLL_SECONDS))
            return
        with self._lock:
            self._busy += 1
        try:
            self._protection.begin_work()
            if self._stepper.run(text, token) is Ending.GIVEN_BACK:
                with self._lock:
                    self._given_back += 1
        finally:
            with self._lock:
                self._busy -= 1
