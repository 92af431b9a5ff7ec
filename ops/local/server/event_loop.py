"""Running work on the server's event loop.

SQS, CloudWatch and EventBridge handlers of MiniStack run on the event loop and rebuild their lists
(``queue["messages"] = kept``) without a lock. A thread that appended to such a list in between would lose what it
appended. So every change that a thread of this layer makes to their state goes through `run_on_loop`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import ministack.app as ministack_app

__all__ = ["run_on_loop"]

T = TypeVar("T")

_TIMEOUT_SECONDS = 30.0


def run_on_loop(work: Callable[[], T]) -> T:
    """Call ``work`` on the server's event loop, in the caller's request scope, and return its result.

    ``work`` must not block. On the loop itself, or before the loop exists, it is simply called.
    """
    loop: asyncio.AbstractEventLoop | None = ministack_app._MAIN_LOOP
    if loop is None or not loop.is_running() or _running_loop() is loop:
        return work()
    context = contextvars.copy_context()
    outcome: Future[T] = Future()

    def call() -> None:
        try:
            outcome.set_result(context.run(work))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            outcome.set_exception(error)

    loop.call_soon_threadsafe(call)
    return outcome.result(_TIMEOUT_SECONDS)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
