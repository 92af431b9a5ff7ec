from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tests.worker.kafka.support import Cluster


@pytest.fixture(scope="session")
def brokers() -> Iterator[str]:
    """A Kafka cluster inside this process: librdkafka's own mock, which other processes can reach."""
    broker = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none"})
    found = broker.list_topics(timeout=10).brokers.values()
    yield ",".join(f"PLAINTEXT://{item.host}:{item.port}" for item in found)
    del broker


@pytest.fixture
def cluster(brokers: str) -> Cluster:
    """Topics of its own for one test."""
    return Cluster(brokers)
