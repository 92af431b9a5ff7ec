"""Kafka brokers for MSK clusters: librdkafka's mock cluster, inside the server's process, one for each cluster.

It speaks the protocol to other processes: producers, consumer groups, transactions. It makes a topic when it is first
asked about it, always with four partitions, has neither TLS nor authentication, and forgets all when the server ends.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from ops.local.server.scopes import Scope, current_scope

__all__ = ["PARTITIONS", "PLAINTEXT", "Lag", "broker_address", "create_topic", "lag_of", "stop_broker"]

PARTITIONS = 4
"""Of every topic that the mock cluster makes."""
PLAINTEXT = "PLAINTEXT://"
"""Before an address: no TLS, no authentication. The worker takes such an address as it is."""

_TIMEOUT_SECONDS = 10.0


class Lag(NamedTuple):
    """Records that a group has not committed: over all partitions, and at the slowest one."""

    total: int
    largest: int


class _Broker:
    def __init__(self) -> None:
        # The mock cluster lives as long as the client that was made with it.
        self.client = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none"})
        found = self.client.list_topics(timeout=_TIMEOUT_SECONDS).brokers.values()
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in found)
        self.readers: dict[str, Consumer] = {}


_brokers: dict[tuple[Scope, str], _Broker] = {}
_lock = threading.Lock()


def _broker(cluster_name: str) -> _Broker:
    key = (current_scope(), cluster_name)
    with _lock:
        if key not in _brokers:
            _brokers[key] = _Broker()
        return _brokers[key]


def broker_address(cluster_name: str) -> str:
    """``host:port`` of the cluster's broker in the current scope; starts it at the first call."""
    return _broker(cluster_name).address


def create_topic(cluster_name: str, topic: str) -> None:
    """Make a topic, if it is not there, with `PARTITIONS` partitions."""
    _broker(cluster_name).client.list_topics(topic, timeout=_TIMEOUT_SECONDS)


def stop_broker(cluster_name: str) -> None:
    """Stop the cluster's broker; its records are gone."""
    with _lock:
        broker = _brokers.pop((current_scope(), cluster_name), None)
    for reader in broker.readers.values() if broker else ():
        reader.close()


def lag_of(cluster_name: str, group: str, topic: str) -> Lag | None:
    """How far a group is behind; None while it has not committed anything, as with MSK."""
    broker = _broker(cluster_name)
    if group not in broker.readers:
        configuration = {"bootstrap.servers": broker.address, "group.id": group, "enable.auto.commit": False}
        broker.readers[group] = Consumer(configuration)  # never subscribes, so it is no member
    reader = broker.readers[group]
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    lags = []
    for found in reader.committed(partitions, timeout=_TIMEOUT_SECONDS):
        if found.offset < 0:
            continue
        marks = reader.get_watermark_offsets(TopicPartition(topic, found.partition), timeout=_TIMEOUT_SECONDS)
        if marks:
            lags.append(max(0, marks[1] - found.offset))
    return Lag(sum(lags), max(lags)) if lags else None
