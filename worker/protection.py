"""Task scale-in protection: ECS does not pick a busy task when a service scales in or deploys.

See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html. The endpoint is
rate limited, so it is called on transitions between idle and busy only, and an idle moment does not count as one.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from worker.logs import Field

__all__ = ["TaskProtection"]

EXPIRES_MINUTES = 10
"""A worker that hangs blocks a deployment for no longer than this; a busy one renews at half of it."""
IDLE_SECONDS = 3.0
RETRY_SECONDS = 10.0
TICK_SECONDS = 0.5

logger = logging.getLogger(__name__)


class TaskProtection:
    """Protects the task this process runs in, while it has work.

    Args:
        agent_uri: the value of ``ECS_AGENT_URI``; None turns protection off.
        busy: whether there is work in hand; asked by `watch`.
        clock: seconds, monotonic.
        request_timeout_seconds: the agent is on the same host; work does not wait longer for it.
    """

    def __init__(
        self,
        agent_uri: str | None,
        busy: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        request_timeout_seconds: float = 2.0,
    ) -> None:
        self._url = f"{agent_uri.rstrip('/')}/task-protection/v1/state" if agent_uri else None
        self._busy = busy
        self._clock = clock
        self._request_timeout_seconds = request_timeout_seconds
        self._lock = threading.Lock()
        self._protected = False
        self._last_busy = clock()
        self._renew_at = clock()
        self._retry_at = clock()
        # The agent is link-local: a proxy of the environment must not see it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def enabled(self) -> bool:
        return self._url is not None

    def begin_work(self) -> None:
        """Be protected from here on. Called before each batch is started; returns at once when already protected."""
        if self.enabled:
            with self._lock:
                self._last_busy = self._clock()
                if not self._protected and self._clock() >= self._retry_at:
                    self._request(True)

    def update(self) -> None:
        """Renew, retry or end the protection, as the time and the work in hand require."""
        with self._lock:
            now = self._clock()
            busy = self._busy()
            if busy:
                self._last_busy = now
            if now < self._retry_at:
                return
            if busy and (not self._protected or now >= self._renew_at):
                self._request(True)
            elif self._protected and now - self._last_busy >= IDLE_SECONDS:
                self._request(False)

    def watch(self, stopped: threading.Event) -> None:
        """`update` until `stopped` is set."""
        while self.enabled and not stopped.wait(TICK_SECONDS):
            self.update()

    def _request(self, protect: bool) -> None:
        body: dict[str, object] = {"ProtectionEnabled": protect}
        if protect:
            body["ExpiresInMinutes"] = EXPIRES_MINUTES
        request = urllib.request.Request(
            str(self._url), json.dumps(body).encode(), {"Content-Type": "application/json"}, method="PUT"
        )
        problem = None
        try:
            with self._opener.open(request, timeout=self._request_timeout_seconds) as response:
                answer = json.load(response)
            if "protection" not in answer:  # ECS reports some refusals with status 200, e.g. DEPLOYMENT_BLOCKED
                problem = json.dumps(answer)
        except urllib.error.HTTPError as error:
            problem = f"{error} {error.read(500).decode(errors='replace')}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        if problem is None:
            self._protected = protect
            self._renew_at = self._clock() + EXPIRES_MINUTES * 60 / 2
            logger.debug("task scale-in protection %s", "on" if protect else "off")
        else:
            self._retry_at = self._clock() + RETRY_SECONDS
            logger.warning(
                "cannot turn task scale-in protection %s; work goes on",
                "on" if protect else "off",
                extra={Field.REASON: problem},
            )
