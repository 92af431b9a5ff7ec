"""The ASGI application: who is let in, what is too large, what is too much, and who handles the rest."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor as Pool
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any

from worker.logs import Outcome
from worker.sources.api.answers import RETRY_AFTER_SECONDS, Answer, problem
from worker.sources.api.handling import Handling, log_outcome
from worker.sources.api.in_flight import InFlight
from worker.sources.api.settings import HEALTH_PATH, ApiSettings

__all__ = ["Application"]

BODY_SECONDS = 15.0
"""A body that takes longer is given up: its sender would occupy a place that others wait for."""

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)


class _BodyTooLargeError(Exception):
    """More bytes came than are allowed."""


class _CallerGoneError(Exception):
    """The connection ended before the body did."""


class Application:
    """Answers ``POST <path>`` and ``GET /health``.

    Args:
        settings: of the source.
        handling: turns a body into an answer; blocks.
        in_flight: counts requests.
        pool: threads for `handling`.
        limit: requests under way at most; more are answered with 503.
    """

    def __init__(
        self, settings: ApiSettings, handling: Handling, in_flight: InFlight, pool: Pool, *, limit: int
    ) -> None:
        self._settings = settings
        self._handling = handling
        self._in_flight = in_flight
        self._pool = pool
        self._limit = limit
        self.stopping = False
        """Health checks fail, and every answer closes its connection, so that callers turn to another task."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        answer = await self._answer(scope, receive)
        if answer is None:
            return
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        if self.stopping:
            headers["connection"] = "close"
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status.value, "headers": raw})
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | None:
        path, method = scope["path"], scope["method"]
        if path == HEALTH_PATH:
            return self._health() if method in ("GET", "HEAD") else _only("GET, HEAD", method)
        if path != self._settings.path:
            return problem(HTTPStatus.NOT_FOUND, f"there is nothing at {path}; events go to {self._settings.path}")
        if method != "POST":
            return _only("POST", method)
        started = time.monotonic()
        answer = self._refusal(dict(scope["headers"]))
        if answer is None:
            number = self._in_flight.begin(self._limit)
            if number is not None:
                return await self._handle(number, receive, started)
            answer = problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "this task has as many requests as it can take",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        return _refused(answer, started)

    def _health(self) -> Answer:
        if self.stopping:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the task is stopping")
        return Answer(status=HTTPStatus.OK, body=b"ok\n", headers={"content-type": "text/plain"})

    def _refusal(self, headers: Mapping[bytes, bytes]) -> Answer | None:
        """Why a request is refused before its body is read; None lets it in."""
        keys = self._settings.keys
        shown = headers.get(b"x-api-key", b"")
        # Every key is compared, and each in constant time: the time tells nothing of them.
        if keys and not sum(hmac.compare_digest(shown, key.encode()) for key in keys):
            return problem(HTTPStatus.UNAUTHORIZED, "the header x-api-key is missing or has a wrong key")
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._settings.max_body_bytes:
            return self._too_large()
        return None

    def _too_large(self) -> Answer:
        detail = f"the body is too large; allowed are {self._settings.max_body_bytes:,} bytes"
        # The rest of the body is not read, so the connection cannot be used again.
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers={"connection": "close"})

    async def _handle(self, number: int, receive: Receive, started: float) -> Answer | None:
        future: Future[Answer] | None = None
        try:
            body = await asyncio.wait_for(self._body(receive), BODY_SECONDS)
            future = self._pool.submit(self._run, number, body)
        except _CallerGoneError:
            return None
        except _BodyTooLargeError:
            return _refused(self._too_large(), started)
        except TimeoutError:
            late = "the body did not come in time"
            return _refused(problem(HTTPStatus.REQUEST_TIMEOUT, late, headers={"connection": "close"}), started)
        finally:
            if future is None:
                self._in_flight.end(number)
        try:
            # A caller that goes away changes nothing: the work goes on, and its result is kept for the next attempt.
            return await asyncio.shield(asyncio.wrap_future(future))
        except Exception:
            logger.exception("the request could not be handled")
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the worker failed; its log says why")

    def _run(self, number: int, body: bytes) -> Answer:
        try:
            return self._handling.handle(number, body)
        finally:
            self._in_flight.end(number)

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _CallerGoneError
            body += message.get("body", b"")
            if len(body) > self._settings.max_body_bytes:
                raise _BodyTooLargeError
            if not message.get("more_body", False):
                return bytes(body)


def _only(allowed: str, method: str) -> Answer:
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"got {method}; allowed: {allowed}", headers={"allow": allowed})


def _refused(answer: Answer, started: float) -> Answer:
    log_outcome(Outcome.REFUSED, started, answer.status)
    return answer
