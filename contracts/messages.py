"""Message attributes that the worker and `ops replay-dlq` write and read, and those that AWS sets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

__all__ = [
    "ERROR_CODE",
    "ERROR_MESSAGE",
    "FAILURE",
    "MAX_ATTRIBUTES",
    "REPLAY_COUNT",
    "RULE_ARN",
    "TARGET_ARN",
    "Failure",
]

FAILURE: Final = "eda-failure"
"""String attribute on a message that the worker dead-lettered: a `Failure` as JSON."""
REPLAY_COUNT: Final = "eda-replay-count"
"""Number attribute: how often `ops replay-dlq` has moved this message."""
MAX_ATTRIBUTES: Final = 10
"""SQS refuses a message with more attributes, so ours give way to the user's."""

# Set by EventBridge on what it dead-letters (EventBridge user guide, "Using dead-letter queues").
RULE_ARN: Final = "RULE_ARN"
TARGET_ARN: Final = "TARGET_ARN"
ERROR_CODE: Final = "ERROR_CODE"
ERROR_MESSAGE: Final = "ERROR_MESSAGE"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a message is in a dead-letter queue.

    Attributes:
        error: the exception's class, e.g. ``KeyError``; the grouping key of `ops peek-dlq`.
        message: the exception's text, cut to 1,000 characters.
        receive_count: receives so far, this one included.
        retryable: False when the handler (or the contract) said that no retry can help.
        queue_arn: the queue the message came from, which is where a replay sends it.
        failed_at: RFC 3339, UTC.
    """

    error: str
    message: str
    receive_count: int
    retryable: bool
    queue_arn: str
    failed_at: str

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "message": self.message[:1000]}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Failure | None:
        """None when the text is not a `Failure`: anybody may set an attribute of this name."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None
