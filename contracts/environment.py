"""Names of the environment variables through which the program configures a worker container."""

from typing import Final

__all__ = [
    "BATCH_SIZE",
    "CHECK_SCHEMAS",
    "BROKER_CA_FILE",
    "BROKER_DEAD_LETTER_QUEUE",
    "BROKER_LEASE_SECONDS",
    "BROKER_ORDERED",
    "BROKER_PASSWORD",
    "BROKER_PREFETCH",
    "BROKER_QUEUE",
    "BROKER_URLS",
    "BROKER_USERNAME",
    "CONCURRENCY",
    "DEAD_LETTER_QUEUE_URL",
    "ECS_AGENT_URI",
    "HANDLER",
    "IDEMPOTENCY_EXPIRES_SECONDS",
    "IDEMPOTENCY_TABLE",
    "LEASE_SECONDS",
    "LEASE_TABLE",
    "LOG_LEVEL",
    "MAX_ATTEMPTS",
    "MAX_RECEIVE_COUNT",
    "PATTERN",
    "QUEUE_URL",
    "RECEIVE_WAIT_SECONDS",
    "STACK",
    "START_POSITION",
    "STOP_TIMEOUT_SECONDS",
    "STREAM_ARN",
    "STREAM_BATCH_SIZE",
    "STREAM_CONSUMER_ARN",
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
CHECK_SCHEMAS: Final = "CHECK_SCHEMAS"
"""``true``: an event that does not obey the JSON Schema of its kind is dead-lettered, not handled; default ``false``."""
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

BROKER_URLS: Final = "BROKER_URLS"
"""Where the broker listens, with commas between: ``amqps://host:5671[/virtual-host]`` speaks AMQP 0-9-1 (RabbitMQ),
``stomp+ssl://host:61614`` STOMP 1.2 (ActiveMQ). Tried one after the other; ``amqp`` and ``stomp`` are without TLS."""
BROKER_USERNAME: Final = "BROKER_USERNAME"
BROKER_PASSWORD: Final = "BROKER_PASSWORD"
"""Both come from a Secrets Manager secret, never from the URL, which is logged."""
BROKER_CA_FILE: Final = "BROKER_CA_FILE"
"""PEM file of the authorities that may sign the broker's certificate; unset: the system's, which know Amazon's."""
BROKER_QUEUE: Final = "BROKER_QUEUE"
"""The queue to consume; made with its dead-letter queue when it is not there."""
BROKER_DEAD_LETTER_QUEUE: Final = "BROKER_DEAD_LETTER_QUEUE"
"""Default: the queue's name and ``.dlq``."""
BROKER_PREFETCH: Final = "BROKER_PREFETCH"
"""Messages that the broker hands to one task without an acknowledgement, 1 to 2,000; default twice the concurrency."""
BROKER_ORDERED: Final = "BROKER_ORDERED"
"""``true``: one task at a time consumes the queue, one message after the other; default ``false``."""
BROKER_LEASE_SECONDS: Final = "BROKER_LEASE_SECONDS"
"""How long the idempotency key of a killed worker's event stays taken, 2 to 3,600; default 30. Extended while work goes
on."""

IDEMPOTENCY_TABLE: Final = "IDEMPOTENCY_TABLE"
"""DynamoDB table (key ``id``, TTL attribute ``expiration``) of the events handled; unset: every copy is handled."""
IDEMPOTENCY_EXPIRES_SECONDS: Final = "IDEMPOTENCY_EXPIRES_SECONDS"
"""How long a key is remembered; default 86,400."""

STREAM_ARN: Final = "STREAM_ARN"
"""Source ``stream``: the Kinesis stream."""
STREAM_CONSUMER_ARN: Final = "STREAM_CONSUMER_ARN"
"""Source ``stream``: the registered consumer to read as (enhanced fan-out); unset: polling."""
LEASE_TABLE: Final = "LEASE_TABLE"
"""Source ``stream``: DynamoDB table (key ``shard_id``) of one application's leases and checkpoints."""
LEASE_SECONDS: Final = "LEASE_SECONDS"
"""Source ``stream``: how long a killed worker's shards stay unattended, 2 to 300; default 20."""
START_POSITION: Final = "START_POSITION"
"""Source ``stream``: where an application that has no checkpoints begins, TRIM_HORIZON (the oldest record that is kept)
or LATEST (what comes from now on); default TRIM_HORIZON."""
STREAM_BATCH_SIZE: Final = "STREAM_BATCH_SIZE"
"""Source ``stream``: records per read, 1 to 10,000; default 500. Twice as many of a shard are in hand at most."""
MAX_ATTEMPTS: Final = "MAX_ATTEMPTS"
"""Source ``stream``: calls of the handler with one record before it goes to DEAD_LETTER_QUEUE_URL, 1 to 1,000; default
5."""

ECS_AGENT_URI: Final = "ECS_AGENT_URI"
"""Set by ECS in every Fargate container: the agent's endpoint, here for task scale-in protection."""
