"""How messages leave the hand: deleted in batches in the background, or given back at once."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Sequence

from worker.logs import Field, Outcome
from worker.sources.queue.hand import Hand
from worker.sources.queue.messages import Message
from worker.sources.queue.sqs import MAX_BATCH, Queue, repeat

__all__ = ["Settlement"]

logger = logging.getLogger(__name__)


class Settlement:
    """Deletes and gives back. Thread-safe.

    Args:
        source: where the messages came from.
        hand: which holds them until SQS has confirmed.
        pause: waits between two attempts.
    """

    def __init__(self, source: Queue, hand: Hand, pause: Callable[[float], object] = time.sleep) -> None:
        self._source = source
        self._hand = hand
        self._pause = pause
        self._handled: queue.SimpleQueue[Message | None] = queue.SimpleQueue()

    def delete(self, message: Message) -> None:
        """Have a message deleted soon. It stays in hand, and invisible to others, until SQS has confirmed."""
        self._handled.put(message)

    def run(self) -> None:
        """Delete until `close`: what gathers while one request is under way goes with the next one."""
        while (first := self._handled.get()) is not None:
            batch = [first]
            while len(batch) < MAX_BATCH:
                try:
                    following = self._handled.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    self._handled.put(None)
                    break
                batch.append(following)
            repeat(self._source.delete, batch, "delete", pause=self._pause)
            self._hand.remove(batch)

    def close(self) -> None:
        """End `run` after what is under way."""
        self._handled.put(None)

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
