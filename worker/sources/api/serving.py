"""Puts the parts together, and takes them down in time."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import uvicorn

from contracts import environment as names
from worker.assembly import executor_for, open_session
from worker.errors import SettingsError
from worker.exit_codes import ExitCode
from worker.handler import Handler
from worker.logs import Field
from worker.protection import TaskProtection
from worker.settings import Settings
from worker.sources.api.application import Application
from worker.sources.api.handling import Handling
from worker.sources.api.in_flight import InFlight
from worker.sources.api.settings import ApiSettings, read
from worker.stopping import Stop
from worker.threads import spawn

__all__ = ["run"]

KEEP_ALIVE_SECONDS = 75
"""Longer than a load balancer keeps an idle connection (60 by default): else it sends into one that we just closed, and
answers its caller with 502."""
BACKLOG = 512

logger = logging.getLogger(__name__)


def run(settings: Settings, handler: Handler, stop: Stop) -> ExitCode:
    """Serve until the stop is requested; then take nothing new and finish what was begun, within the stop timeout.

    Raises:
        SettingsError: a setting of this source is wrong, the port is taken, or no region is configured.
    """
    return _Service(settings, read(os.environ), handler, open_session(), stop).run()


class _Service:
    def __init__(
        self, settings: Settings, api: ApiSettings, handler: Handler, session: boto3.session.Session, stop: Stop
    ) -> None:
        self._settings = settings
        self._api = api
        self._stop = stop
        self._executor = executor_for(settings, handler, session)
        self._in_flight = InFlight()
        # Short requests end while the load balancer drains the task; the watch sees those that take longer. Asking the
        # agent before each request would cost every caller a round trip, and the agent limits its calls.
        self._protection = TaskProtection(settings.agent_uri, busy=lambda: len(self._in_flight) > 0)
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="handler")
        self._application = Application(
            api,
            Handling(executor=self._executor, in_flight=self._in_flight, lease_seconds=api.lease_seconds),
            self._in_flight,
            self._pool,
            limit=settings.concurrency + api.max_waiting,
        )
        self._socket = _listen(api)
        self._server = uvicorn.Server(_server_config(self._application))

    def run(self) -> ExitCode:
        if not self._api.keys:
            logger.warning("%s is not set: the worker lets every caller in", names.API_KEYS)
        drained = threading.Event()
        spawn("heartbeat", lambda: self._extend_leases(drained), self._stop)
        spawn("protection", lambda: self._protection.watch(drained), self._stop)
        server = spawn("server", self._serve, self._stop)
        logger.info("listening on %s:%d%s", self._api.host, self._api.port, self._api.path)
        self._stop.requested.wait()

        deadline = time.monotonic() + self._settings.drain_seconds
        logger.info("stopping", extra={Field.MESSAGES: len(self._in_flight)})
        self._application.stopping = True
        if not self._stop.failed:
            drained.wait(min(self._api.linger_seconds, self._settings.drain_seconds / 2))
        self._server.config.timeout_graceful_shutdown = max(1, int(deadline - time.monotonic()))
        self._server.should_exit = True
        finished = self._in_flight.wait_until_empty(max(0.0, deadline - time.monotonic()))
        if not finished:
            self._interrupt()
        server.join(max(0.0, deadline - time.monotonic()))  # the last answers are on their way
        drained.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        logger.info("stopped", extra={Field.MESSAGES: len(self._in_flight)})
        if self._stop.failed:
            return ExitCode.ERROR
        return ExitCode.OK if finished else ExitCode.UNFINISHED

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])
        if not self._stop.requested.is_set():
            raise RuntimeError("the HTTP server ended by itself")

    def _extend_leases(self, ended: threading.Event) -> None:
        while not ended.wait(self._api.lease_seconds / 3):
            for key in self._in_flight.keys():  # noqa: SIM118  # not a dict: a list of idempotency keys
                self._executor.extend(key, self._api.lease_seconds)

    def _interrupt(self) -> None:
        """Free the keys of what could not be finished, so that the caller's next attempt can begin at once."""
        keys = self._in_flight.keys()
        logger.error("the stop timeout is too short for the work in hand", extra={Field.MESSAGES: len(keys)})
        for key in keys:
            self._executor.abandon(key)


def _listen(api: ApiSettings) -> socket.socket:
    try:
        return socket.create_server((api.host, api.port), backlog=BACKLOG)
    except OSError as error:
        where = f"{names.API_HOST}={api.host}, {names.API_PORT}={api.port}"
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError([f"{where}: cannot listen there ({reason}); choose another port"]) from error


def _server_config(application: Application) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
