"""What the source `kafka` needs beyond the settings that all sources share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts import environment as names
from worker.errors import SettingsError
from worker.settings import Reader

__all__ = ["KafkaSettings", "NewTopic", "Order", "Start", "read"]

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_PLAINTEXT = "PLAINTEXT://"


class Start(StrEnum):
    """Where a group without commits begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


class Order(StrEnum):
    """Which records are handled one after the other."""

    KEY = "key"
    PARTITION = "partition"


@dataclass(frozen=True, kw_only=True)
class NewTopic:
    """A topic to create when it is not there."""

    name: str
    partitions: int
    replication_factor: int
    configuration: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """Every attribute is documented at the variable's name in `contracts.environment`.

    Attributes:
        bootstrap_servers: where to begin.
        topic, group: what to consume, as which group.
        topic_arn: for the position of a record that cannot be handled; default the topic's name.
        dead_letter_topic, on_failure_queue_url: where such records go; one of them at least.
        new_topics: default none.
        session_seconds: 6 to 300; default 45.
        start: default earliest.
        order: default by key.
        batch_size: 1 to 10,000; default 500.
        max_attempts: 1 to 1,000; default 5.
    """

    bootstrap_servers: str
    topic: str
    group: str
    topic_arn: str
    dead_letter_topic: str | None = None
    on_failure_queue_url: str | None = None
    new_topics: tuple[NewTopic, ...] = ()
    session_seconds: int = 45
    start: Start = Start.EARLIEST
    order: Order = Order.KEY
    batch_size: int = 500
    max_attempts: int = 5

    @property
    def authenticated(self) -> bool:
        """Whether to use IAM over TLS: always with MSK, which names its brokers without a protocol."""
        return not self.bootstrap_servers.startswith(_PLAINTEXT)


def read(environment: Mapping[str, str]) -> KafkaSettings:
    """Read and check the settings.

    Raises:
        SettingsError: one line per mistake: the variable, its value, what is allowed.
    """
    reader = Reader(environment)
    topic = _topic(reader, names.KAFKA_TOPIC, reader.required(names.KAFKA_TOPIC, "the topic to consume"))
    dead_letter_topic = _topic(reader, names.KAFKA_DEAD_LETTER_TOPIC, reader.text(names.KAFKA_DEAD_LETTER_TOPIC))
    queue_url = reader.url(names.DEAD_LETTER_QUEUE_URL, reader.text(names.DEAD_LETTER_QUEUE_URL))
    if not dead_letter_topic and not queue_url:
        reader.mistakes.append(
            f"{names.KAFKA_DEAD_LETTER_TOPIC}, {names.DEAD_LETTER_QUEUE_URL}: neither is set; set one: without it a "
            "record that cannot be handled would hold its key back for ever"
        )
    if dead_letter_topic and dead_letter_topic == topic:
        reader.mistakes.append(
            f"{names.KAFKA_DEAD_LETTER_TOPIC}: {topic!r} is the topic that is consumed; allowed: another one"
        )
    settings = KafkaSettings(
        bootstrap_servers=_servers(reader),
        topic=topic,
        group=reader.required(names.KAFKA_GROUP, "the name of the consumer group"),
        topic_arn=reader.text(names.KAFKA_TOPIC_ARN, topic),
        dead_letter_topic=dead_letter_topic or None,
        on_failure_queue_url=queue_url or None,
        new_topics=_new_topics(reader),
        session_seconds=reader.integer(names.KAFKA_SESSION_SECONDS, 6, 300, 45),
        start=Start(_choice(reader, names.KAFKA_START, Start)),
        order=Order(_choice(reader, names.KAFKA_ORDER, Order)),
        batch_size=reader.integer(names.KAFKA_BATCH_SIZE, 1, 10_000, 500),
        max_attempts=reader.integer(names.MAX_ATTEMPTS, 1, 1_000, 5),
    )
    if reader.mistakes:
        raise SettingsError(reader.mistakes)
    return settings


def _choice(reader: Reader, name: str, kind: type[StrEnum]) -> str:
    allowed = tuple(item.value for item in kind)
    value = reader.choice(name, allowed, allowed[0])
    return value if value in allowed else allowed[0]


def _topic(reader: Reader, name: str, value: str) -> str:
    if value and not _TOPIC.fullmatch(value):
        reader.mistakes.append(f"{name}: {value!r} is malformed; allowed: 1 to 249 letters, digits and . _ -")
    return value


def _servers(reader: Reader) -> str:
    name = names.KAFKA_BOOTSTRAP_SERVERS
    value = reader.required(name, "the brokers to begin with, host:port with commas between")
    plain = [server.startswith(_PLAINTEXT) for server in value.split(",")]
    if any(plain) and not all(plain):
        reader.mistakes.append(f"{name}: {value!r} mixes protocols; allowed: {_PLAINTEXT} before all or none")
    return value


def _new_topics(reader: Reader) -> tuple[NewTopic, ...]:
    name = names.KAFKA_CREATE_TOPICS
    text = reader.text(name)
    if not text:
        return ()
    try:
        return tuple(
            NewTopic(
                name=str(item["name"]),
                partitions=int(item["partitions"]),
                replication_factor=int(item["replication_factor"]),
                configuration={str(key): str(value) for key, value in item.get("configuration", {}).items()},
            )
            for item in json.loads(text)
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reader.mistakes.append(
            f"{name}: malformed ({type(error).__name__}: {error}); allowed: a JSON list of objects with name, "
            "partitions, replication_factor and, optionally, configuration"
        )
        return ()
