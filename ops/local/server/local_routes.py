"""HTTP routes of the layer's own, below ``/_local/``: the ECS agent, task credentials, Spot reclaims."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PREFIX", "Answer", "LocalRoutes", "Request", "routes"]

logger = logging.getLogger("ops.local.server")

PREFIX = "/_local/"

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


@dataclass(frozen=True)
class Request:
    """One request below the prefix; `path` is what follows the route's own prefix, without a leading slash."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is ``{}``. Raises `ValueError` for anything else."""
        document = json.loads(self.body or b"{}")
        if not isinstance(document, dict):
            raise ValueError(f"the body is a {type(document).__name__}; allowed: a JSON object")
        return document


@dataclass(frozen=True)
class Answer:
    """An HTTP status and a JSON document."""

    document: dict[str, Any]
    status: int = 200


Handler = Callable[[Request], Answer]


class LocalRoutes:
    """A table of prefix -> handler, and the ASGI application that serves it in front of another one."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, name: str, handler: Handler) -> None:
        """Serve ``/_local/<name>`` and everything below it. Handlers run in a thread and may block."""
        self._handlers[name] = handler

    def answer(self, request: Request) -> Answer:
        """Dispatch `request`, whose path starts with a route's name."""
        name, _, rest = request.path.partition("/")
        handler = self._handlers.get(name)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            return Answer({"message": f"no route {PREFIX}{name}; there are: {known}"}, 404)
        try:
            return handler(Request(request.method, rest, request.headers, request.body))
        except ValueError as error:
            return Answer({"message": str(error)}, 400)

    def in_front_of(self, application: Application) -> Application:
        """An ASGI application that answers the routes itself and hands everything else on."""

        async def serve(
            scope: Message,
            receive: Callable[[], Awaitable[Message]],
            send: Callable[[Message], Awaitable[None]],
        ) -> None:
            if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
                await application(scope, receive, send)
                return
            body = b""
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            request = Request(scope["method"], scope["path"].removeprefix(PREFIX), headers, body)
            try:
                answer = await asyncio.to_thread(self.answer, request)
            except Exception:
                logger.exception("%s %s failed", scope["method"], scope["path"])
                answer = Answer({"message": "internal error; see the server's log"}, 500)
            payload = json.dumps(answer.document).encode()
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": [
                        (b"content-type", b"application/json"),
                        (b"content-length", str(len(payload)).encode()),
                    ],
                }
            )
            await send({"type": "http.response.body", "body": payload})

        return serve


routes = LocalRoutes()
"""The routes of this process."""
