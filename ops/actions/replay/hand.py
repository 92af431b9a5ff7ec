"""The messages a run has in hand: nobody else sees them while it works, and all are given back when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ops.actions.replay.messages import DeadLetter
from ops.actions.replay.retrying import Backoff

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

__all__ = ["Hand", "release"]

_BATCH = 10
_REQUESTS = 16


class Hand:
    """Keeps received messages invisible, and gives back what was not deleted.

    Args:
        client: for the dead-letter queue's region.
        queue_url: the dead-letter queue.
        visibility_timeout_seconds: for how long each receive or extension hides a message, 2 or more.
    """

    def __init__(self, client: SQSClient, queue_url: str, visibility_timeout_seconds: int) -> None:
        self._client = client
        self._url = queue_url
        self._seconds = visibility_timeout_seconds
        self._messages: dict[str, DeadLetter] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="visibility-keeper", daemon=True)

    def __enter__(self) -> Hand:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._keeper.join()

    def take(self, message: DeadLetter) -> bool:
        """False when this message is already in hand (its visibility lapsed): only its receipt handle is renewed."""
        with self._lock:
            held = self._messages.get(message.id)
            if held is not None:
                held.receipt, held.expires_at = message.receipt, message.expires_at
                return False
            self._messages[message.id] = message
            return True

    @property
    def messages(self) -> int:
        """How many are in hand."""
        return len(self._messages)

    def drop(self, ids: Iterable[str]) -> None:
        """These are gone from the queue."""
        with self._lock:
            for message_id in ids:
                self._messages.pop(message_id, None)

    def give_back(self, *, in_order: bool) -> int:
        """Make all of them visible again; return how many become visible only when their visibility lapses.

        Args:
            in_order: one request at a time, the last message first: on a FIFO queue the first message of a group then
                holds back the rest until it is free itself. Otherwise many requests are in flight.
        """
        with self._lock:
            messages = list(reversed(self._messages.values()))
            self._messages.clear()
        parts = [messages[start : start + _BATCH] for start in range(0, len(messages), _BATCH)]
        backoff = Backoff(threading.Event(), attempts=4)
        with ThreadPoolExecutor(1 if in_order else _REQUESTS) as pool:
            returned = sum(pool.map(lambda part: len(self._change(part, 0, backoff)), parts))
        return len(messages) - returned

    def _keep(self) -> None:
        while not self._closing.wait(self._seconds / 8):
            soon = time.monotonic() + self._seconds / 2
            with self._lock:
                due = [message for message in self._messages.values() if message.expires_at < soon]
            parts = [due[start : start + _BATCH] for start in range(0, len(due), _BATCH)]
            if len(parts) > 1:
                with ThreadPoolExecutor(min(len(parts), _REQUESTS)) as pool:
                    list(pool.map(self._extend, parts))
            elif parts:
                self._extend(parts[0])

    def _extend(self, messages: Sequence[DeadLetter]) -> None:
        if self._closing.is_set():
            return
        begun = time.monotonic()
        for message in self._change(messages, self._seconds, Backoff(self._closing, attempts=3)):
            message.expires_at = begun + self._seconds

    def _change(self, messages: Sequence[DeadLetter], seconds: int, backoff: Backoff) -> list[DeadLetter]:
        """Set the visibility of at most 10 messages; return those for which it worked."""
        entries: list[Any] = [
            {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
            for number, message in enumerate(messages)
        ]
        try:
            answer = backoff.call(
                lambda: self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            )
        except Exception:  # noqa: BLE001 - whatever it is, these lapse by themselves, and the caller counts them
            return []
        return [messages[int(entry["Id"])] for entry in answer.get("Successful", [])]


def release(client: SQSClient, queue_url: str, receipts: Sequence[str], halt: threading.Event) -> None:
    """Make visible at once what a killed run was sending, as far as its receipt handles still work.

    What cannot be given back comes back by itself, only later.
    """
    backoff = Backoff(halt, attempts=3)
    for start in range(0, len(receipts), _BATCH):
        entries: list[Any] = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for number, receipt in enumerate(receipts[start : start + _BATCH])
        ]
        request = partial(client.change_message_visibility_batch, QueueUrl=queue_url, Entries=entries)
        try:
            backoff.call(request)
        except Exception:  # noqa: BLE001 - whatever it is, the messages are not lost
            return
