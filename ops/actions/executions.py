"""How the executions of a state machine go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["MAX_COUNT", "WINDOW", "ExecutionCounts", "execution_counts"]

MAX_COUNT = 1000
"""One page of ListExecutions: no number goes over it."""
WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class ExecutionCounts:
    """Executions by what became of them, each at most `MAX_COUNT`.

    Attributes:
        running: now.
        failed, timed_out: of those that began within `WINDOW`.
    """

    running: int
    failed: int
    timed_out: int


def execution_counts(aws: Aws, state_machine_arn: str) -> ExecutionCounts:
    """Count them."""
    since = datetime.now(UTC) - WINDOW

    def count(status: Literal["RUNNING", "FAILED", "TIMED_OUT"]) -> int:
        found = aws.stepfunctions().list_executions(
            stateMachineArn=state_machine_arn, statusFilter=status, maxResults=MAX_COUNT
        )["executions"]
        return sum(1 for item in found if status == "RUNNING" or item["startDate"] >= since)

    return ExecutionCounts(running=count("RUNNING"), failed=count("FAILED"), timed_out=count("TIMED_OUT"))
