"""A topic with everything that belongs to it, and worker processes that consume it."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from contracts import environment as names
from tests.emulator import Account
from tests.worker.handlers import GATE
from tests.worker.support import Worker, calls_in, envelope, wait_for

__all__ = ["Cluster", "Group", "KafkaWorker", "envelope", "wait_for"]

PARTITIONS = 4
"""Of a topic that the mock cluster makes by itself."""


class Cluster:
    """Two topics on the mock cluster, with names of their own."""

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self.topic = f"orders-{uuid.uuid4().hex[:8]}"
        self.dead_letter_topic = f"{self.topic}.dead-letters"
        self.producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 5})
        for topic in (self.topic, self.dead_letter_topic):
            self.producer.list_topics(topic, timeout=10)  # which makes it

    def put(self, records: list[tuple[str | bytes | None, str | bytes]], **arguments: Any) -> list[tuple[int, int]]:
        """Put (key, value) in order; answers partition and offset of each."""
        found: dict[int, tuple[int, int]] = {}
        for number, (key, value) in enumerate(records):

            def report(error: object, message: Message, number: int = number) -> None:
                assert error is None
                found[number] = (message.partition() or 0, message.offset() or 0)

            self.producer.produce(self.topic, key=key, value=value, on_delivery=report, **arguments)
            self.producer.poll(0)
        assert self.producer.flush(20) == 0
        return [found[number] for number in range(len(records))]

    def put_numbers(self, first: int, last: int, keys: int, **data: Any) -> None:
        """Records ``first`` to ``last - 1``; number n has the key ``g<n % keys>``."""
        self.put(
            [(f"g{n % keys}", envelope(f"k{n}", group=f"g{n % keys}", number=n, **data)) for n in range(first, last)]
        )

    def committed(self, group: str) -> dict[int, TopicPartition]:
        """What a group has committed, by partition."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group})
        try:
            partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
            return {found.partition: found for found in consumer.committed(partitions, timeout=10)}
        finally:
            consumer.close()

    def commit(self, group: str, partition: int, offset: int, metadata: str) -> None:
        """As a member that left would have done."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group})
        try:
            consumer.commit(offsets=[TopicPartition(self.topic, partition, offset, metadata)], asynchronous=False)
        finally:
            consumer.close()

    def lag(self, group: str) -> int:
        """Records that a group has not committed."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group})
        try:
            total = 0
            partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
            for found in consumer.committed(partitions, timeout=10):
                low, high = consumer.get_watermark_offsets(TopicPartition(self.topic, found.partition), timeout=10)
                total += high - (found.offset if found.offset >= 0 else low)
            return total
        finally:
            consumer.close()

    def dead_letters(self) -> list[Message]:
        """Everything in the dead-letter topic so far."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": uuid.uuid4().hex})
        try:
            ends = {}
            for number in range(PARTITIONS):
                partition = TopicPartition(self.dead_letter_topic, number)
                low, high = consumer.get_watermark_offsets(partition, timeout=10)
                ends[number] = (low, high)
            consumer.assign([TopicPartition(self.dead_letter_topic, number, low) for number, (low, _) in ends.items()])
            expected = sum(high - low for low, high in ends.values())
            found: list[Message] = []
            deadline = time.monotonic() + 30
            while len(found) < expected and time.monotonic() < deadline:
                found += [message for message in consumer.consume(expected, timeout=0.2) if not message.error()]
            return found
        finally:
            consumer.close()


class Group:
    """One consumer group: its idempotency table, its on-failure queue, its trace."""

    def __init__(
        self, cluster: Cluster, account: Account, trace: Path, name: str = "orders", **environment: str
    ) -> None:
        trace.mkdir(exist_ok=True)
        self.cluster = cluster
        self.trace = trace
        self.name = f"{name}-{cluster.topic}"
        self.dynamodb = account.client("dynamodb")
        self.sqs = account.client("sqs")
        self.dynamodb.create_table(
            TableName=f"{name}-keys",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.queue_url: str = self.sqs.create_queue(QueueName=f"{name}-on-failure")["QueueUrl"]
        self.environment = {
            **account.environment(),
            names.HANDLER: "tests.worker.handlers:handle",
            names.PATTERN: name,
            names.KAFKA_BOOTSTRAP_SERVERS: cluster.brokers,
            names.KAFKA_TOPIC: cluster.topic,
            names.KAFKA_TOPIC_ARN: f"arn:aws:kafka:ap-southeast-2:1:topic/c/u/{cluster.topic}",
            names.KAFKA_GROUP: self.name,
            names.KAFKA_DEAD_LETTER_TOPIC: cluster.dead_letter_topic,
            names.KAFKA_SESSION_SECONDS: "6",
            names.DEAD_LETTER_QUEUE_URL: self.queue_url,
            names.MAX_ATTEMPTS: "3",
            names.CONCURRENCY: "4",
            names.STOP_TIMEOUT_SECONDS: "20",
            names.IDEMPOTENCY_TABLE: f"{name}-keys",
            "TRACE": str(trace),
            **environment,
        }

    # -- what comes out ------------------------------------------------------------------------------------------

    def calls(self, what: str = "begin") -> list[dict[str, Any]]:
        """What the handler did, in order."""
        return calls_in(self.trace, what)

    def open_gate(self) -> None:
        """Let the handlers end that were told to wait for it."""
        (self.trace / GATE).touch()

    def order(self, what: str = "end") -> dict[str, list[int]]:
        """The numbers handled, by key of the record."""
        found: dict[str, list[int]] = defaultdict(list)
        for call in self.calls(what):
            found[call["group"]].append(call["number"])
        return found

    def effects(self) -> set[str]:
        return {path.stem for path in self.trace.glob("*.effect")}

    def count_effects(self) -> int:
        """Cheaply: it is asked often, with thousands of them."""
        return sum(name.endswith(".effect") for name in os.listdir(self.trace))

    def wait_for_effects(self, number: int, seconds: float = 90) -> None:
        wait_for(f"{number} effects", lambda: self.count_effects() >= number, seconds)

    def attempts(self) -> Counter[str]:
        return Counter(call["key"] for call in self.calls())

    def letters(self) -> list[dict[str, Any]]:
        """Everything in the on-failure queue, which is empty then."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += messages
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def lag(self) -> int:
        return self.cluster.lag(self.name)

    # -- who works -----------------------------------------------------------------------------------------------

    def start(self, **environment: str) -> KafkaWorker:
        return KafkaWorker({**self.environment, **environment}, self.trace)

    @contextmanager
    def worker(self, **environment: str) -> Iterator[KafkaWorker]:
        """A worker that is stopped with SIGTERM, and must then exit with 0."""
        process = self.start(**environment)
        try:
            yield process
            assert process.stop() == 0, process.text()
        finally:
            process.kill()


class KafkaWorker(Worker):
    """One ``python -m worker kafka``."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        super().__init__(environment, directory, "kafka")
