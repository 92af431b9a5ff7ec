"""How messages leave the hand: deleted in batches in the background, or given back at once."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from worker.logs import Field, Outcome
from worker.sources.queue.hand import Hand
from worker.sources.queue.messages import Message
from worker.sources.queue.sqs import MAX_BATCH, Queue, repeat

__all__ = ["LINGER_SECONDS", "Settlement"]

LINGER_SECONDS = 0.05
"""How long a handled message waits for others to be deleted with; a request for each would cost more than the rest."""

logger = logging.getLogger(__name__)


class Settlement:
    """Deletes and gives back. Thread-safe.

    Args:
        source: where the messages came from.
        hand: which holds them until SQS has confirmed.
        linger_seconds: how long a handled message may wait for its batch to be full; 0 for a FIFO queue, whose group
            goes on when its message is deleted.
        pause: waits between two attempts.
    """

    def __init__(
        self,
        source: Queue,
        hand: Hand,
        *,
        linger_seconds: float = 0.0,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._source = source
        self._hand = hand
        self._linger_seconds = linger_seconds
        self._pause = pause
        self._changed = threading.Condition()
        self._handled: deque[Message] = deque()
        self._closed = False

    def delete(self, message: Message) -> None:
        """Have a message deleted soon. It stays in hand, and invisible to others, until SQS has confirmed."""
        with self._changed:
            self._handled.append(message)
            # To wake the deleter for each would cost two switches of threads a message.
            if len(self._handled) in (1, MAX_BATCH):
                self._changed.notify()

    def run(self) -> None:
        """Delete until `close`: what gathers while one request is under way goes with the next one."""
        while batch := self._next_batch():
            repeat(self._source.delete, batch, "delete", pause=self._pause)
            self._hand.remove(batch)

    def _next_batch(self) -> list[Message]:
        """Up to ten handled messages; empty when closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._handled)
            self._changed.wait_for(lambda: self._closed or len(self._handled) >= MAX_BATCH, self._linger_seconds)
            return [self._handled.popleft() for _ in range(min(MAX_BATCH, len(self._handled)))]

    def close(self) -> None:
        """End `run` after everything handled so far."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def give_back_with_reason(self, messages: Sequence[Message], reason: str) -> None:
        """`give_back` now, through no fault of the messages, with a line in the log for each."""
        self.give_back(messages)
        for message in messages:
            fields: dict[str, object] = {
                Field.OUTCOME: Outcome.GIVEN_BACK.value,
                Field.MESSAGE_ID: message.id,
                Field.RECEIVE_COUNT: message.receive_count,
                Field.REASON: reason,
            }
            logger.info(Outcome.GIVEN_BACK.value, extra=fields)

    def give_back(self, messages: Sequence[Message], delay_seconds: int = 0) -> None:
        """Let others receive the messages in `delay_seconds`.

        Heartbeats end first, or a late one would undo the delay. Of a group, the last goes first: until its first
        message is back, SQS gives out none of the group, so nobody receives it with a message missing.
        """
        if messages:
            self._hand.remove(messages)
            repeat(
                lambda left: self._source.set_visibility(dict.fromkeys(left, delay_seconds)),
                messages[::-1],
                "give back",
                attempts=4,
                pause=self._pause,
            )
