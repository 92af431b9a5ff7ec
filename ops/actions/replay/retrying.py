"""Repeats a request that failed for a passing reason, with back-off that a stop event cuts short."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_random_exponential,
)

from ops.faults import classify

__all__ = ["Backoff"]

T = TypeVar("T")


class Backoff:
    """How long to try.

    Args:
        halt: no further attempt, and no waiting, once it is set.
        attempts: 1 or more; default 8.
        first_seconds, longest_seconds: the wait before attempt n is random up to first × 2^(n-1), at most the longest
            ("full jitter", AWS Architecture Blog, "Exponential Backoff And Jitter").
    """

    def __init__(
        self,
        halt: threading.Event,
        attempts: int = 8,
        first_seconds: float = 0.1,
        longest_seconds: float = 5.0,
    ) -> None:
        self.attempts = attempts
        self._halt = halt
        self._wait = wait_random_exponential(multiplier=first_seconds, max=longest_seconds)

    def call(self, request: Callable[[], T], on_error: Callable[[BaseException], None] | None = None) -> T:
        """The request's answer, or its last exception. `on_error` sees each exception after which it is tried again."""

        def before_sleep(state: RetryCallState) -> None:
            if on_error and state.outcome and (error := state.outcome.exception()):
                on_error(error)

        retrying = Retrying(
            retry=retry_if_exception(lambda error: classify(error).worth_retrying),
            stop=stop_after_attempt(self.attempts) | stop_when_event_set(self._halt),
            wait=self._wait,
            sleep=sleep_using_event(self._halt),
            before_sleep=before_sleep,
            reraise=True,
        )
        return retrying(request)

    def pause(self, attempt: int) -> bool:
        """Wait before the next attempt after `attempt` (from 1); False when halted meanwhile."""
        state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = attempt
        return not self._halt.wait(self._wait(state))
