"""What a state does with errors: retriers, in the order in which Step Functions tries them, and catchers.

The names are those that the services raise (Step Functions developer guide, "Run Amazon ECS or Fargate tasks" and
"Handling errors"): RunTask that started nothing is AmazonECS.Unknown, throttling and missing capacity are
ECS.AmazonECSException, and a throttled call behind RunTask (network interfaces) is ECS.InvalidParameterException, which
is also a request that no retry can help; so that one is tried only a few times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.core.validation import Check, Range, Rule
from contracts.workflows import INTERRUPTED, REFUSED, RESULT_TOO_LARGE

__all__ = ["RETRY_RULES", "Catch", "Retry", "RetryArgs", "handler_retries", "start_retries"]

NOT_STARTED = ("ECS.AmazonECSException", "ECS.ServerException", "ECS.ThrottlingException", "AmazonECS.Unknown")
_START_ATTEMPTS, _DOUBTFUL_ATTEMPTS, _INTERRUPTIONS = 30, 3, 20


@dataclass(frozen=True, kw_only=True)
class Retry:
    """One retrier.

    Attributes:
        errors: names; ``States.ALL`` is every one but States.Runtime and States.DataLimitExceeded.
        attempts: 0 to 99,999,999; 0 never retries.
        interval_seconds: before the first retry, 1 to 99,999,999; default 1.
        backoff_rate: factor from one retry to the next, 1 or more; default 2.
        max_delay_seconds: 2 to 31,622,399, over the interval; default None, no bound.
        jitter: a random part of each delay, so that many states do not come back together; default True.
    """

    errors: Sequence[str]
    attempts: int
    interval_seconds: int = 1
    backoff_rate: float = 2.0
    max_delay_seconds: int | None = None
    jitter: bool = True

    def to_json(self) -> dict[str, Any]:
        """As the Amazon States Language writes it."""
        document: dict[str, Any] = {"ErrorEquals": list(self.errors), "MaxAttempts": self.attempts}
        if self.attempts == 0:
            return document
        document |= {"IntervalSeconds": self.interval_seconds, "BackoffRate": self.backoff_rate}
        if self.max_delay_seconds is not None:
            document["MaxDelaySeconds"] = self.max_delay_seconds
        return document | ({"JitterStrategy": "FULL"} if self.jitter else {})


@dataclass(frozen=True, kw_only=True)
class Catch:
    """Where an error leads that is not retried (any more).

    Attributes:
        next: the state that it leads to.
        errors: names; default all.
        result_path: where ``Error`` and ``Cause`` go in that state's input; default ``$.error``.
    """

    next: str
    errors: Sequence[str] = ("States.ALL",)
    result_path: str = "$.error"

    def to_json(self) -> dict[str, Any]:
        """As the Amazon States Language writes it."""
        return {"ErrorEquals": list(self.errors), "ResultPath": self.result_path, "Next": self.next}


@dataclass(frozen=True, kw_only=True)
class RetryArgs:
    """How often a handler that failed, or was lost, is tried again.

    Attributes:
        attempts: after the first, 0 to 100; default 3.
        interval_seconds: before the first retry, 1 to 86,400; default 5; doubled each time.
        max_delay_seconds: the longest of them, 2 to 86,400, over the interval; default 300.
    """

    attempts: int = 3
    interval_seconds: int = 5
    max_delay_seconds: int = 300


RETRY_RULES: tuple[Rule, ...] = (
    Range("attempts", 0, 100, "retries"),
    Range("interval_seconds", 1, 86_400, "seconds"),
    Range("max_delay_seconds", 2, 86_400, "seconds"),
    Check(
        ("interval_seconds", "max_delay_seconds"),
        lambda args: args.max_delay_seconds <= args.interval_seconds,
        lambda args: (
            f"max_delay_seconds is {args.max_delay_seconds}, not over interval_seconds ({args.interval_seconds}), as "
            "Step Functions wants it; raise it"
        ),
    ),
)


def start_retries() -> list[Retry]:
    """Of every state that runs a task: throttling and missing capacity pass, and cost the handler no attempt."""
    return [
        Retry(errors=NOT_STARTED, attempts=_START_ATTEMPTS, interval_seconds=2, max_delay_seconds=60),
        Retry(errors=["ECS.InvalidParameterException"], attempts=_DOUBTFUL_ATTEMPTS, interval_seconds=5),
    ]


def handler_retries(args: RetryArgs) -> list[Retry]:
    """Of a handler's failure; never of one that says that no retry can help.

    A worker that was told to stop is no failure: the next one begins at once. States.HeartbeatTimeout is a worker that
    was killed. A state that ran for all of its TimeoutSeconds is not tried again.
    """
    return [
        Retry(errors=[REFUSED, RESULT_TOO_LARGE], attempts=0),
        Retry(errors=[INTERRUPTED], attempts=_INTERRUPTIONS, backoff_rate=1.0),
        Retry(
            errors=["States.TaskFailed", "States.HeartbeatTimeout"],
            attempts=args.attempts,
            interval_seconds=args.interval_seconds,
            max_delay_seconds=args.max_delay_seconds,
        ),
    ]
