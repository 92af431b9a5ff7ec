"""Names of the environment variables through which the program configures a worker container."""

from typing import Final

__all__ = [
    "ACTIVITY_ARN",
    "API_HOST",
    "API_KEYS",
    "API_LEASE_SECONDS",
    "API_LINGER_SECONDS",
    "API_MAX_BODY_BYTES",
    "API_MAX_WAITING",
    "API_PATH",
    "API_PORT",
    "BATCH_SIZE",
    "BROKER_CA_FILE",
    "BROKER_DEAD_LETTER_QUEUE",
    "BROKER_LEASE_SECONDS",
    "BROKER_ORDERED",
    "BROKER_PASSWORD",
    "BROKER_PREFETCH",
    "BROKER_QUEUE",
    "BROKER_URLS",
    "BROKER_USERNAME",
    "CHECK_SCHEMAS",
    "CONCURRENCY",
    "DEAD_LETTER_QUEUE_URL",
    "ECS_AGENT_URI",
    "ECS_METADATA_URI",
    "EVENT",
    "EVENT_PATHS",
    "EVENT_REFERENCE",
    "HANDLER",
    "HEARTBEAT_SECONDS",
    "IDEMPOTENCY_EXPIRES_SECONDS",
    "IDEMPOTENCY_TABLE",
    "JOB_ID",
    "KAFKA_BATCH_SIZE",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_CREATE_TOPICS",
    "KAFKA_DEAD_LETTER_TOPIC",
    "KAFKA_GROUP",
    "KAFKA_ORDER",
    "KAFKA_SESSION_SECONDS",
    "KAFKA_START",
    "KAFKA_TOPIC",
    "KAFKA_TOPIC_ARN",
    "LEASE_SECONDS",
    "LEASE_TABLE",
    "LOG_LEVEL",
    "MAX_ATTEMPTS",
    "MAX_RECEIVE_COUNT",
    "OVERLAP",
    "PATTERN",
    "QUEUE_URL",
    "RECEIVE_WAIT_SECONDS",
    "STACK",
    "START_POSITION",
    "STEP_EXECUTION",
    "STEP_INPUT",
    "STEP_KEY",
    "STEP_NAME",
    "STOP_TIMEOUT_SECONDS",
    "STREAM_ARN",
    "STREAM_BATCH_SIZE",
    "STREAM_CONSUMER_ARN",
    "TASK_TOKEN",
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
"""``true``: an event that does not obey the JSON Schema of its kind is dead-lettered; default ``false``."""
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

API_HOST: Final = "API_HOST"
"""Source ``api``: the address to listen on; default 0.0.0.0. The local environment sets the task's own."""
API_PORT: Final = "API_PORT"
"""Source ``api``: 1 to 65,535; default 8080."""
API_PATH: Final = "API_PATH"
"""Source ``api``: where events are posted; default ``/events``. ``/health`` answers health checks."""
API_KEYS: Final = "API_KEYS"
"""Source ``api``: a secret: the values of the header ``x-api-key`` that are let in, with commas between; unset: all
are."""
API_MAX_BODY_BYTES: Final = "API_MAX_BODY_BYTES"
"""Source ``api``: larger requests are refused with 413; 1 to 10,485,760; default 1,048,576, as EventBridge's events."""
API_MAX_WAITING: Final = "API_MAX_WAITING"
"""Source ``api``: requests that may wait for a handler beside those being handled, 0 to 10,000; default 10. More are
answered with 503, so that a caller tries another task instead of waiting for this one."""
API_LINGER_SECONDS: Final = "API_LINGER_SECONDS"
"""Source ``api``: how long new requests are still taken after SIGTERM, 0 to 60; default 0. A task that Spot takes back
hears of it at the same time as the load balancer, which needs some seconds to send nothing more."""
API_LEASE_SECONDS: Final = "API_LEASE_SECONDS"
"""Source ``api``: how long the idempotency key of a killed worker's event stays taken, 2 to 3,600; default 30. Extended
while work goes on."""

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
"""Sources ``stream`` and ``kafka``: calls of the handler with one record before it goes to DEAD_LETTER_QUEUE_URL, 1 to
1,000; default 5."""

KAFKA_BOOTSTRAP_SERVERS: Final = "KAFKA_BOOTSTRAP_SERVERS"
"""Source ``kafka``: the brokers to begin with, ``host:port`` with commas between: IAM authentication over TLS. With
``PLAINTEXT://`` before each, as the local environment names its broker, without both."""
KAFKA_TOPIC: Final = "KAFKA_TOPIC"
"""Source ``kafka``: the topic to consume."""
KAFKA_TOPIC_ARN: Final = "KAFKA_TOPIC_ARN"
"""Source ``kafka``: its ARN, which a record that cannot be handled is marked with; default its name."""
KAFKA_GROUP: Final = "KAFKA_GROUP"
"""Source ``kafka``: the consumer group; each group gets every record."""
KAFKA_DEAD_LETTER_TOPIC: Final = "KAFKA_DEAD_LETTER_TOPIC"
"""Source ``kafka``: where records go that cannot be handled, in addition to DEAD_LETTER_QUEUE_URL if that is set."""
KAFKA_CREATE_TOPICS: Final = "KAFKA_CREATE_TOPICS"
"""Source ``kafka``: topics to create at start if they are missing: a JSON list of ``{"name", "partitions",
"replication_factor", "configuration"}``. For serverless clusters, where only Kafka's own protocol can."""
KAFKA_START: Final = "KAFKA_START"
"""Source ``kafka``: where a group without commits begins, ``earliest`` or ``latest``; default ``earliest``."""
KAFKA_ORDER: Final = "KAFKA_ORDER"
"""Source ``kafka``: ``key``: records with the same key are handled one after the other, others side by side; or
``partition``: all records of a partition. Default ``key``."""
KAFKA_SESSION_SECONDS: Final = "KAFKA_SESSION_SECONDS"
"""Source ``kafka``: how long a killed worker's partitions stay unattended, 6 to 300; default 45."""
KAFKA_BATCH_SIZE: Final = "KAFKA_BATCH_SIZE"
"""Source ``kafka``: records per read, 1 to 10,000; default 500. Twice as many of a partition are in hand at most."""

EVENT: Final = "EDA_EVENT"
"""Source ``task``: the one event, as JSON; with everything else of the task's overrides at most 8,192 characters."""
EVENT_REFERENCE: Final = "EDA_EVENT_REFERENCE"
"""Source ``task``: where a larger event's JSON is, ``s3://bucket/key``."""
JOB_ID: Final = "EDA_JOB_ID"
"""Id of the tracked job that the task was started for."""
OVERLAP: Final = "RUN_OVERLAP"
"""Source ``task``: what a task does while another one of the same pattern runs: ``allow`` (run, too), ``skip`` (end) or
``queue`` (wait for its end); default ``allow``. The others need IDEMPOTENCY_TABLE, which holds the lock."""
EVENT_PATHS: Final = "EDA_EVENT_PATHS"
"""Source ``task``: a JSON object of variables to paths into the event (``{"KEY": "$.detail.object.key"}``): the event
is put together from these variables, because EventBridge can hand a task parts of an event only."""

TASK_TOKEN: Final = "WORKFLOW_TASK_TOKEN"
"""Source ``callback``: the token of the state machine's task that waits for the result."""
STEP_INPUT: Final = "WORKFLOW_INPUT"
"""Sources ``callback`` and ``task``: the input of a state machine's step, as JSON: an event, or any other object."""
STEP_NAME: Final = "WORKFLOW_STEP"
"""Sources ``callback`` and ``task``: the step's name."""
STEP_EXECUTION: Final = "WORKFLOW_EXECUTION"
"""Sources ``callback`` and ``task``: the ARN of the execution that the step belongs to."""
STEP_KEY: Final = "WORKFLOW_KEY"
"""Sources ``callback`` and ``task``: the step's idempotency key; unset: its name with the event's key, or with the
execution's ARN when the input is no event."""
HEARTBEAT_SECONDS: Final = "WORKFLOW_HEARTBEAT_SECONDS"
"""Sources ``callback`` and ``activity``: HeartbeatSeconds of the state, 3 to 86,400; the worker beats at a third of it.
Also how long the idempotency key of a killed worker's step stays taken."""
ACTIVITY_ARN: Final = "ACTIVITY_ARN"
"""Source ``activity``: the activity to poll. CONCURRENCY is how many of its tasks are worked on at a time."""

ECS_AGENT_URI: Final = "ECS_AGENT_URI"
"""Set by ECS in every Fargate container: the agent's endpoint, here for task scale-in protection."""
ECS_METADATA_URI: Final = "ECS_CONTAINER_METADATA_URI_V4"
"""Set by ECS in every Fargate container: where the task's id is, by which a worker names itself to others."""
