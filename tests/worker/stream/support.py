"""A stream with everything that belongs to it, and worker processes that consume it."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts import environment as names
from tests.emulator import Account
from tests.worker.handlers import GATE
from tests.worker.support import Worker, calls_in, envelope, wait_for

__all__ = ["Application", "Stream", "StreamWorker", "envelope", "wait_for"]


class Stream:
    """A Kinesis stream in one account."""

    def __init__(self, account: Account, shards: int = 2) -> None:
        self.account = account
        self.kinesis = account.client("kinesis")
        self.kinesis.create_stream(StreamName="clicks", ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(StreamName="clicks", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        summary = self.kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]
        self.arn: str = summary["StreamARN"]

    def put(self, records: list[tuple[str, str]]) -> list[dict[str, Any]]:
        """Put (partition key, data) in order; the answers have shard and sequence number."""
        answers: list[dict[str, Any]] = []
        for start in range(0, len(records), 500):
            entries = [{"PartitionKey": key, "Data": data.encode()} for key, data in records[start : start + 500]]
            answer = self.kinesis.put_records(StreamName="clicks", Records=entries)
            assert answer["FailedRecordCount"] == 0
            answers += answer["Records"]
        return answers

    def put_numbers(self, first: int, last: int, keys: int, **data: Any) -> None:
        """Records ``first`` to ``last - 1``; number n has the partition key ``g<n % keys>``."""
        self.put(
            [(f"g{n % keys}", envelope(f"k{n}", group=f"g{n % keys}", number=n, **data)) for n in range(first, last)]
        )

    def open_shards(self) -> list[dict[str, Any]]:
        shards = self.kinesis.list_shards(StreamARN=self.arn)["Shards"]
        return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]


class Application:
    """One consumer application: its leases, its idempotency table, its on-failure queue, its trace."""

    def __init__(self, stream: Stream, trace: Path, name: str = "clicks", **environment: str) -> None:
        account = stream.account
        trace.mkdir(exist_ok=True)
        self.stream = stream
        self.trace = trace
        self.dynamodb = account.client("dynamodb")
        self.sqs = account.client("sqs")
        for table, key in (("leases", "shard_id"), ("keys", "id")):
            self.dynamodb.create_table(
                TableName=f"{name}-{table}",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        self.name = name
        self.collected: list[dict[str, Any]] = []
        self.dlq_url: str = self.sqs.create_queue(QueueName=f"{name}-on-failure")["QueueUrl"]
        self.environment = {
            **account.environment(),
            names.HANDLER: "tests.worker.handlers:handle",
            names.PATTERN: name,
            names.STREAM_ARN: stream.arn,
            names.LEASE_TABLE: f"{name}-leases",
            names.LEASE_SECONDS: "2",
            names.DEAD_LETTER_QUEUE_URL: self.dlq_url,
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
        """The numbers handled, by group."""
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

    def leases(self) -> dict[str, dict[str, Any]]:
        """Every lease, its attributes without their types."""
        rows = self.dynamodb.scan(TableName=f"{self.name}-leases", ConsistentRead=True)["Items"]
        return {
            row["shard_id"]["S"]: {name: next(iter(value.values())) for name, value in row.items()}
            for row in rows
            if row["shard_id"]["S"].startswith("shardId-")
        }

    def holders(self) -> Counter[str]:
        return Counter(lease["owner"] for lease in self.leases().values() if lease["owner"])

    def dead_letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.dlq_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += messages
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.dlq_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    # -- who works -----------------------------------------------------------------------------------------------

    def start(self, **environment: str) -> StreamWorker:
        return StreamWorker({**self.environment, **environment}, self.trace)

    @contextmanager
    def worker(self, **environment: str) -> Iterator[StreamWorker]:
        """A worker that is stopped with SIGTERM, and must then exit with 0."""
        process = self.start(**environment)
        try:
            yield process
            assert process.stop() == 0, process.text()
        finally:
            process.kill()


class StreamWorker(Worker):
    """One ``python -m worker stream``."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        super().__init__(environment, directory, "stream")
