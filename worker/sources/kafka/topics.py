"""Creates topics where MSK's own API cannot: on a serverless cluster."""

from __future__ import annotations

import logging
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic as NewKafkaTopic

from worker.logs import Field
from worker.sources.kafka.settings import NewTopic

__all__ = ["ensure_topics"]

_TIMEOUT_SECONDS = 15.0

logger = logging.getLogger(__name__)


def ensure_topics(configuration: dict[str, Any], topics: tuple[NewTopic, ...]) -> bool:
    """Create those that are not there; what is there stays as it is. False when one is still missing."""
    if not topics:
        return True
    admin = AdminClient(configuration)
    if "oauth_cb" in configuration:
        admin.poll(_TIMEOUT_SECONDS)  # which is when the token is fetched
    try:
        there = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics
    except KafkaException as error:
        logger.error("cannot list the topics", extra={Field.REASON: str(error)})
        return False
    missing = [topic for topic in topics if topic.name not in there]
    return all(_create(admin, topic) for topic in missing)


def _create(admin: AdminClient, topic: NewTopic) -> bool:
    new = NewKafkaTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        config=dict(topic.configuration),
    )
    try:
        admin.create_topics([new], request_timeout=_TIMEOUT_SECONDS)[topic.name].result(_TIMEOUT_SECONDS)
    except (KafkaException, TimeoutError) as error:
        # Another task may have been first, and a broker may create what it is asked about.
        found = admin.list_topics(topic.name, timeout=_TIMEOUT_SECONDS).topics.get(topic.name)
        if found is not None and found.error is None:
            return True
        logger.error("cannot create the topic %s", topic.name, extra={Field.REASON: str(error)})
        return False
    logger.info("created the topic %s with %d partitions", topic.name, topic.partitions)
    return True
