"""Keeps messages invisible to others for as long as they are in hand."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from worker.execution import Executor
from worker.logs import Field
from worker.sources.queue.hand import Hand
from worker.sources.queue.sqs import Queue

__all__ = ["Heartbeat"]

logger = logging.getLogger(__name__)


class Heartbeat:
    """Extends the visibility timeout of each message in hand when a third of it has passed.

    Args:
        source: where the messages came from.
        hand: knows which are due.
        executor: whose idempotency records are extended too, so that a copy is not handled beside long work.
        clock: the clock of `hand`.
    """

    def __init__(
        self, source: Queue, hand: Hand, executor: Executor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._hand = hand
        self._executor = executor
        self._clock = clock

    def run(self, ended: threading.Event) -> None:
        """Beat until `ended` is set."""
        while not ended.is_set():
            self.beat(timeout_seconds=0.5)

    def beat(self, timeout_seconds: float) -> None:
        """Wait for messages that are due, up to `timeout_seconds`, and extend them."""
        due = self._hand.wait_for_due(timeout_seconds)
        if not due:
            return
        began_at = self._clock()
        result = self._source.set_visibility(due)
        self._hand.extended(began_at, {message: due[message] for message in result.done}, result.failed, result.gone)
        keys = self._hand.keys()
        for message in result.done:
            if key := keys.get(message):
                self._executor.extend(key, self._hand.remaining_seconds(message))
        for message, code in (result.failed | result.gone).items():
            # No longer in hand: it was deleted while the request was under way.
            if message in keys:
                logger.warning(
                    "cannot extend the visibility timeout of a message; others may receive it",
                    extra={Field.MESSAGE_ID: message.id, Field.ERROR: code},
                )
