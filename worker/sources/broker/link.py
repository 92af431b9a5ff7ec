"""One connection to the broker, whichever protocol it speaks."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from worker.sources.broker.hand import Hand
from worker.sources.broker.messages import Disposition, Message

__all__ = ["Deliver", "Link", "LinkError"]

Deliver = Callable[[Message], None]
"""Called on the link's thread with each message that arrives."""


class LinkError(Exception):
    """The connection cannot be made, or is lost; another attempt may succeed."""


class Link(ABC):
    """What the protocols share: settlements are queued by the handler threads, and carried out on the link's thread.

    A link that is lost takes its unacknowledged messages with it: the broker delivers them again, to this worker or
    another. So when in doubt a link closes, and nothing is lost.

    Args:
        hand: holds the messages until they are settled.
        parks: whether the broker can keep a message for a while; otherwise it waits in hand.
    """

    def __init__(self, hand: Hand, *, parks: bool) -> None:
        self.parks = parks
        self._hand = hand
        self._lock = threading.Lock()
        self._alive = True
        self._orders: deque[tuple[Message, Disposition]] = deque()

    @property
    def alive(self) -> bool:
        return self._alive

    def settle(self, message: Message, disposition: Disposition) -> None:
        """Have this done soon, in the order of the calls. On a lost link there is nothing left to do."""
        with self._lock:
            if self._alive:
                self._orders.append((message, disposition))
                self._wake()
                return
        self._hand.remove([message])

    @abstractmethod
    def work(self, timeout_seconds: float) -> None:
        """Deliver and settle for up to about `timeout_seconds`.

        Raises:
            LinkError: the connection is lost.
        """

    @abstractmethod
    def stop_deliveries(self) -> None:
        """Ask the broker for no more messages. May be called again.

        Raises:
            LinkError: the connection is lost.
        """

    @abstractmethod
    def close(self) -> None:
        """Settle what was asked for, then disconnect; never raises."""

    def lose(self) -> None:
        """No settlement can be carried out any more; the messages of those that wait come back from the broker."""
        with self._lock:
            self._alive = False
            lost = [message for message, _ in self._orders]
            self._orders.clear()
        self._hand.remove(lost)

    @abstractmethod
    def _wake(self) -> None:
        """Interrupt `work`, which has something to do."""

    @abstractmethod
    def _carry_out(self, message: Message, disposition: Disposition) -> None:
        """Do it, and call `_done` when the broker has it."""

    def _carry_out_orders(self) -> None:
        while True:
            with self._lock:
                if not self._orders:
                    return
                message, disposition = self._orders.popleft()
            try:
                self._carry_out(message, disposition)
            except BaseException:
                self._done(message)  # out of this hand: with the link it goes back to the broker
                raise

    def _done(self, message: Message) -> None:
        self._hand.remove([message])
