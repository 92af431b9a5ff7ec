"""One event handled by one thread, with its idempotency key kept meanwhile: for work that nobody hands out again."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from contracts.events import Event
from worker import logs
from worker.execution import Executor, Result, Verdict
from worker.logs import Field
from worker.stopping import Stop
from worker.threads import spawn

__all__ = ["LOOK_SECONDS", "SingleWork"]

LOOK_SECONDS = 1.0
"""Between two looks at a key that another worker has, or at a table that cannot be reached."""


class SingleWork:
    """The handler runs in a thread of its own, so that whoever waits for it can give up.

    Args:
        event: what is handled.
        executor: how.
        stop: an error of a thread stops the worker.
        lease_seconds: how long the key of a killed worker stays taken; extended at each third of it.
        fields: on every line that the handler logs.

    Attributes:
        done: set when there is a verdict, or never will be.
        verdict: how it went; None while it goes on, and for ever when it was given up before it could begin.
    """

    def __init__(
        self, event: Event, executor: Executor, stop: Stop, *, lease_seconds: float, fields: Mapping[Field, str]
    ) -> None:
        self._event = event
        self._executor = executor
        self._stop = stop
        self._lease_seconds = lease_seconds
        self._fields = fields
        self._given_up = threading.Event()
        self.done = threading.Event()
        self.verdict: Verdict | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        spawn("handler", self._handle, self._stop)
        spawn("lease", self._keep_the_key, self._stop)

    def give_up(self) -> None:
        """Do not begin any more, and free the key of what has begun: its handler is about to die with the process."""
        self.forbid()
        self._executor.abandon(self._event.idempotency_key)

    def forbid(self) -> None:
        """Do not begin any more. A handler that has begun goes on and keeps its key: nobody else begins beside it."""
        self._given_up.set()

    def _handle(self) -> None:
        with logs.context(**{str(name): value for name, value in self._fields.items()}):
            try:
                while not self._given_up.is_set() and not self._stop.requested.is_set():
                    verdict = self._executor.execute(self._event, lambda: self._lease_seconds)
                    if verdict.result not in (Result.BUSY, Result.UNAVAILABLE):
                        self.verdict = verdict
                        return
                    # Ending here would say that the work is done, or that it failed; neither is known yet.
                    self._given_up.wait(min(LOOK_SECONDS, verdict.retry_after_seconds or LOOK_SECONDS))
            finally:
                self.done.set()

    def _keep_the_key(self) -> None:
        while not self.done.wait(self._lease_seconds / 3):
            self._executor.extend(self._event.idempotency_key, self._lease_seconds)
