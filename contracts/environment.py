"""Names of the environment variables through which the program configures a worker container."""

from typing import Final

__all__ = [
    "BATCH_SIZE",
    "CONCURRENCY",
    "DEAD_LETTER_QUEUE_URL",
    "ECS_AGENT_URI",
    "HANDLER",
    "IDEMPOTENCY_EXPIRES_SECONDS",
    "IDEMPOTENCY_TABLE",
    "LOG_LEVEL",
    "MAX_RECEIVE_COUNT",
    "PATTERN",
    "QUEUE_URL",
    "RECEIVE_WAIT_SECONDS",
    "STACK",
    "STOP_TIMEOUT_SECONDS",
    "VISIBILITY_TIMEOUT_SECONDS",
]

STACK: Final = "EDA_STACK"
"""The stack's name; also the default of `ops --stack`."""
PATTERN: Final = "EDA_PATTERN"
"""The pattern's name in the stack's settings, e.g. ``orders``."""
HANDLER: Final = "HANDLER"
"""``module:function`` of the user's ``handle(event) -> dict | None``."""
LOG_LEVEL: Final = "LOG_LEVEL"
"""DEBUG, INFO, WARNING or ERROR; default INFO."""
STOP_TIMEOUT_SECONDS: Final = "STOP_TIMEOUT_SECONDS"
"""The container's stopTimeout, 2 to 120: SIGKILL follows SIGTERM after this long."""

QUEUE_URL: Final = "QUEUE_URL"
DEAD_LETTER_QUEUE_URL: Final = "DEAD_LETTER_QUEUE_URL"
"""Where the worker puts a poison message together with the reason; unset leaves it to the queue's redrive policy."""
MAX_RECEIVE_COUNT: Final = "MAX_RECEIVE_COUNT"
"""The redrive policy's maxReceiveCount; the attempt with this number is the last."""
VISIBILITY_TIMEOUT_SECONDS: Final = "VISIBILITY_TIMEOUT_SECONDS"
"""The queue's visibility timeout; the worker's heartbeat extends by it."""
BATCH_SIZE: Final = "BATCH_SIZE"
"""Messages per receive, 1 to 10; default 10."""
CONCURRENCY: Final = "CONCURRENCY"
"""Messages (of different groups, on a FIFO queue) handled at the same time by one task; default 1."""
RECEIVE_WAIT_SECONDS: Final = "RECEIVE_WAIT_SECONDS"
"""Length of a long poll, 1 to 20; default 20, and never more than half the stop timeout. An idle worker stops when its
poll ends: SQS may hand messages to a poll that was cut off, and they would stay invisible for the whole timeout."""

IDEMPOTENCY_TABLE: Final = "IDEMPOTENCY_TABLE"
"""DynamoDB table (key ``id``, TTL attribute ``expiration``) of the events handled; unset: every copy is handled."""
IDEMPOTENCY_EXPIRES_SECONDS: Final = "IDEMPOTENCY_EXPIRES_SECONDS"
"""How long a key is remembered; default 86,400."""

ECS_AGENT_URI: Final = "ECS_AGENT_URI"
"""Set by ECS in every Fargate container: the agent's endpoint, here for task scale-in protection."""
