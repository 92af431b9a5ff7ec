"""Creates topics where MSK's own API cannot: on a serverless cluster."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic as NewKafkaTopic

from worker.logs import Field
from worker.sources.kafka.settings import NewTopic

__all__ = ["Admin", "ensure_topics", "open_admin"]

_TIMEOUT_SECONDS = 10.0

logger = logging.getLogger(__name__)


class Admin(Protocol):
    """The part of confluent_kafka's AdminClient that is used."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata: ...

    def create_topics(self, new_topics: list[NewKafkaTopic], **options: Any) -> Mapping[str, Future[None]]: ...


def open_admin(configuration: dict[str, Any]) -> Admin:
    """A client of Kafka's admin protocol."""
    admin = AdminClient(configuration)
    if "oauth_cb" in configuration:
        admin.poll(_TIMEOUT_SECONDS)  # which is when the token is fetched
    return admin


def ensure_topics(admin: Admin, topics: Sequence[NewTopic]) -> bool:
    """Create those that are not there; what is there stays as it is. False when one is still missing."""
    try:
        there = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics
        new = [topic for topic in topics if topic.name not in there]
        if not new:
            return True
        answers = admin.create_topics([_request(topic) for topic in new], request_timeout=_TIMEOUT_SECONDS)
        missing = [name for name, answer in answers.items() if not _created(admin, name, answer)]
        return not missing
    except KafkaException as error:
        logger.error("cannot create topics; trying again", extra={Field.REASON: str(error)})
        return False


def _request(topic: NewTopic) -> NewKafkaTopic:
    return NewKafkaTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        config=dict(topic.configuration),
    )


def _created(admin: Admin, name: str, answer: Future[None]) -> bool:
    try:
        answer.result(_TIMEOUT_SECONDS)
    except (KafkaException, TimeoutError) as error:
        # Another task may have been first, and a broker may create what it is asked about.
        found = admin.list_topics(name, timeout=_TIMEOUT_SECONDS).topics.get(name)
        if found is not None and found.error is None:
            return True
        logger.error("cannot create the topic %s; trying again", name, extra={Field.REASON: str(error)})
        return False
    logger.info("created the topic %s", name)
    return True
