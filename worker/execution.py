"""Handle one event once, and say how it went. Knows nothing of queues: every source uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol

from contracts.events import Event
from worker.errors import NonRetryableError
from worker.handler import Handler, keepable

__all__ = ["Attempt", "Executor", "PlainExecutor", "Result", "Verdict"]


class Result(StrEnum):
    """What became of one attempt."""

    HANDLED = "handled"
    DUPLICATE = "duplicate"
    """The key was handled before; the handler was not called."""
    FAILED = "failed"
    """The handler raised."""
    BUSY = "busy"
    """Another worker is handling the same key now."""
    UNAVAILABLE = "unavailable"
    """The idempotency table could not be asked, so the handler was not called."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Attributes:
    error: the exception behind FAILED and UNAVAILABLE.
    retry_after_seconds: how long the key stays taken, with BUSY.
    value: what the handler returned, with HANDLED, or had returned, with DUPLICATE; None when it is not kept.
    """

    result: Result
    error: Exception | None = None
    retry_after_seconds: float | None = None
    value: dict[str, Any] | None = None

    @property
    def retryable(self) -> bool:
        return not isinstance(self.error, NonRetryableError)


class Attempt:
    """One call of the handler, which remembers what happened even if something around the call fails later."""

    def __init__(self, handler: Handler, event: Event) -> None:
        self._handler = handler
        self._event = event
        self.returned = False
        self.value: dict[str, Any] | None = None
        self.error: Exception | None = None
        self._trace: TracebackType | None = None

    def __call__(self) -> dict[str, Any] | None:
        try:
            result = self._handler(self._event)
        except SystemExit as error:
            # In a thread it would end the thread without a word, and the message would never be settled.
            self.error = RuntimeError(f"the handler called sys.exit({error.code!r}); raise an exception instead")
            raise self.error from error
        except Exception as error:
            self.error = error
            self._trace = error.__traceback__
            raise
        self.returned = True
        self.value = keepable(result)
        return self.value

    def failure(self) -> Verdict | None:
        """FAILED, with the handler's exception and its traceback without the frames around the call; None if none."""
        if self.error is None:
            return None
        trace = self._trace.tb_next if self._trace is not None else None
        return Verdict(result=Result.FAILED, error=self.error.with_traceback(trace))


class Executor(Protocol):
    """How an event is handled: with or without memory of the keys."""

    def execute(self, event: Event, remaining_seconds: Callable[[], float]) -> Verdict:
        """Handle `event`. `remaining_seconds` tells for how long nobody else will be given it."""

    def extend(self, idempotency_key: str, seconds: float) -> None:
        """The event with this key is still being handled, and nobody else will be given it for `seconds`."""

    def abandon(self, idempotency_key: str) -> None:
        """The event with this key will not be handled to the end by this process."""


class PlainExecutor:
    """Without an idempotency table every copy is handled."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def execute(self, event: Event, remaining_seconds: Callable[[], float]) -> Verdict:
        attempt = Attempt(self._handler, event)
        try:
            attempt()
        except Exception:
            if attempt.error is None:
                raise  # ours, not the handler's
        return attempt.failure() or Verdict(result=Result.HANDLED, value=attempt.value)

    def extend(self, idempotency_key: str, seconds: float) -> None:
        """Nothing is kept."""

    def abandon(self, idempotency_key: str) -> None:
        """Nothing is kept."""
