"""Work 5: what a consumer of a Kafka topic costs per record, and how long a record waits for its handler."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka
from confluent_kafka import Producer

from bench.isolation import home_free_environment
from bench.peers import OUT
from bench.results import Row, Skipped
from bench.works.consuming import KINDS, TABLE, Contender, create_table, measure
from bench.works.scene import order
from bench.works.size import Size
from contracts import environment as names
from tests.emulator import Account, running_emulator

__all__ = ["WORK", "measure_kafka"]

WORK = "kafka"
OURS = "worker kafka"
_KEYS = 200


class _Topic:
    """A topic of its own on librdkafka's mock cluster, and the table of one group."""

    def __init__(self, url: str, brokers: str, folder: Path) -> None:
        account = Account(url)
        self.folder = folder
        self.environment: Mapping[str, str] = account.environment() | home_free_environment(folder)
        self.brokers = brokers
        self.name = f"orders-{uuid.uuid4().hex[:8]}"
        self.queue_url: str = account.client("sqs").create_queue(QueueName="orders-dlq")["QueueUrl"]
        create_table(account, TABLE, "id")
        self._producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0})
        self._producer.list_topics(self.name, timeout=10)  # which makes it

    def put(self, first: int, last: int, per_second: float) -> None:
        begun = time.monotonic()
        for number in range(first, last):
            if per_second:
                time.sleep(max(0.0, begun + (number - first) / per_second - time.monotonic()))
            value = order(number, time.time() if per_second else 0.0)
            self._producer.produce(self.name, key=f"channel-{number % _KEYS}", value=value)
            self._producer.poll(0)
        assert self._producer.flush(30) == 0


def _contenders() -> Iterator[Contender]:
    version = f"confluent-kafka {confluent_kafka.__version__} loop"
    for kind in KINDS:
        yield Contender(OURS, OURS, kind, lambda topic: [sys.executable, "-m", "worker", "kafka"], _ours(kind))
        title = version + (", a claim and a completion per key" if kind else "")
        yield Contender("confluent-loop", title, kind, _loop([TABLE] if kind else []))


def _loop(table: list[str]) -> Callable[[_Topic], list[str]]:
    program = [sys.executable, "-m", "bench.contenders.confluent_loop"]
    return lambda topic: [*program, topic.brokers, topic.name, f"{topic.name}-group", *table]


def _ours(kind: str) -> Callable[[_Topic], Mapping[str, str]]:
    def extra(topic: _Topic) -> dict[str, str]:
        settings = {
            names.HANDLER: "bench.contenders.worker_handler:handle",
            names.PATTERN: "orders",
            names.LOG_LEVEL: "WARNING",  # the loop writes nothing either
            names.KAFKA_BOOTSTRAP_SERVERS: f"PLAINTEXT://{topic.brokers}",
            names.KAFKA_TOPIC: topic.name,
            names.KAFKA_GROUP: f"{topic.name}-group",
            names.DEAD_LETTER_QUEUE_URL: topic.queue_url,
        }
        return settings | ({names.IDEMPOTENCY_TABLE: TABLE} if kind else {})

    return extra


def measure_kafka(size: Size, reasons: dict[str, str], say: Callable[[str], None]) -> tuple[list[Row], list[Skipped]]:
    """Ours and a plain loop. See `bench.works.Measure` for the arguments."""
    out = OUT / WORK
    # The brokers live as long as the client that was made with them, in this process.
    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none"})
    found = cluster.list_topics(timeout=10).brokers.values()
    brokers = ",".join(f"{broker.host}:{broker.port}" for broker in found)
    with running_emulator(out / "emulator") as url:

        @contextmanager
        def place(folder: Path) -> Iterator[_Topic]:
            yield _Topic(url, brokers, folder)

        rows = measure(WORK, OURS, list(_contenders()), place, size, out, say)
    del cluster
    return rows, []
