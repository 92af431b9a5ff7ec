"""Threads whose failure ends the worker instead of leaving it half alive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from worker.stopping import Stop

__all__ = ["spawn"]

logger = logging.getLogger(__name__)


def spawn(name: str, target: Callable[[], None], stop: Stop) -> threading.Thread:
    """Start a daemon thread; an error that it does not handle is logged and stops the worker with exit code 1."""

    def run() -> None:
        try:
            target()
        except Exception:
            logger.critical("%s failed; the worker stops", name, exc_info=True)
            stop.fail()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
