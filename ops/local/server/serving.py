"""Serving MiniStack with the layer in front, until SIGTERM; then the tasks end first, and the server after them."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from ops.local.server.local_routes import Application, Message, routes
from ops.local.server.settings import ServerSettings

__all__ = ["serve"]

logger = logging.getLogger("ops.local.server")

TASK_GRACE_SECONDS = 3.0
"""How long tasks may take to end after SIGTERM when the whole server stops; then SIGKILL."""
_REQUEST_GRACE_SECONDS = 0.5


def serve(settings: ServerSettings, stop_tasks: Callable[[float], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Parameters
    ----------
    settings:
        The server's settings; the layer must be installed already.
    stop_tasks:
        Ends every task, given the seconds of grace. It runs while requests are still answered: a worker that
        drains needs SQS to give its messages back.
    """
    import ministack.app as ministack_app

    config = Config()
    config.bind = [f"127.0.0.1:{settings.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = _REQUEST_GRACE_SECONDS
    config.loglevel = "WARNING"
    application = routes.in_front_of(ministack_app.app)
    if settings.auth:
        application = _as_if_encrypted(application)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        asked_to_stop = asyncio.Event()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, asked_to_stop.set)

        async def stopped() -> None:
            await asked_to_stop.wait()
            await asyncio.to_thread(stop_tasks, TASK_GRACE_SECONDS)
            # Connections that are still open are cut now; each would leave a traceback in the log.
            loop.set_exception_handler(lambda _loop, _context: None)

        await hypercorn_serve(application, config, shutdown_trigger=stopped)  # type: ignore[arg-type]  # plain ASGI

    asyncio.run(run())


def _as_if_encrypted(application: Application) -> Application:
    """Mark requests as TLS: they never leave the machine, and policies that deny plain HTTP are enforced here."""

    async def encrypted(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "http":
            headers: list[tuple[bytes, bytes]] = list(scope["headers"])
            marked: dict[str, Any] = {**scope, "headers": [*headers, (b"x-forwarded-proto", b"https")]}
            scope = marked
        await application(scope, receive, send)

    return encrypted
