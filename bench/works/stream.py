"""Work 4: what a consumer of a Kinesis stream costs per record, and how long a record waits for its handler."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from bench.isolation import home_free_environment
from bench.peers import OUT
from bench.results import Row, Skipped
from bench.works.consuming import KINDS, TABLE, Contender, create_table, measure
from bench.works.scene import order
from bench.works.size import Size
from contracts import environment as names
from tests.emulator import Account, running_emulator

__all__ = ["WORK", "measure_stream"]

WORK = "stream"
OURS = "worker stream"
_KEYS = 200
_SHARDS = 4


class _Stream:
    """A stream in an account of its own, with the tables of one application."""

    def __init__(self, url: str, folder: Path) -> None:
        account = Account(url)
        self.folder = folder
        self.environment: Mapping[str, str] = account.environment() | home_free_environment(folder)
        self.kinesis: Any = account.client("kinesis")
        self.kinesis.create_stream(StreamName="orders", ShardCount=_SHARDS)
        waiter = self.kinesis.get_waiter("stream_exists")
        waiter.wait(StreamName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        summary = self.kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]
        self.arn: str = summary["StreamARN"]
        self.queue_url: str = account.client("sqs").create_queue(QueueName="orders-dlq")["QueueUrl"]
        create_table(account, "leases", "shard_id")
        create_table(account, TABLE, "id")

    def put(self, first: int, last: int, per_second: float) -> None:
        if per_second:
            begun = time.monotonic()
            for number in range(first, last):
                time.sleep(max(0.0, begun + (number - first) / per_second - time.monotonic()))
                data = order(number, time.time()).encode()
                self.kinesis.put_record(StreamName="orders", PartitionKey=_key(number), Data=data)
            return
        for start in range(first, last, 500):
            numbers = range(start, min(start + 500, last))
            records = [{"PartitionKey": _key(number), "Data": order(number).encode()} for number in numbers]
            self.kinesis.put_records(StreamName="orders", Records=records)

    def close(self) -> None:
        """Free the emulator's memory."""
        self.kinesis.delete_stream(StreamName="orders")


def _key(number: int) -> str:
    return f"channel-{number % _KEYS}"


def _contenders() -> Iterator[Contender]:
    for kind in KINDS:
        yield Contender(OURS, OURS, kind, lambda stream: [sys.executable, "-m", "worker", "stream"], _ours(kind))
        title = f"boto3 {boto3.__version__} loop" + (", a claim and a completion per key" if kind else "")
        yield Contender("boto3-loop", title, kind, _loop([TABLE] if kind else []))


def _loop(table: list[str]) -> Callable[[_Stream], list[str]]:
    return lambda stream: [sys.executable, "-m", "bench.contenders.boto3_stream", stream.arn, *table]


def _ours(kind: str) -> Callable[[_Stream], Mapping[str, str]]:
    def extra(stream: _Stream) -> dict[str, str]:
        settings = {
            names.HANDLER: "bench.contenders.worker_handler:handle",
            names.PATTERN: "orders",
            names.LOG_LEVEL: "WARNING",  # the loop writes nothing either
            names.STREAM_ARN: stream.arn,
            names.LEASE_TABLE: "leases",
            names.DEAD_LETTER_QUEUE_URL: stream.queue_url,
        }
        return settings | ({names.IDEMPOTENCY_TABLE: TABLE} if kind else {})

    return extra


def measure_stream(size: Size, reasons: dict[str, str], say: Callable[[str], None]) -> tuple[list[Row], list[Skipped]]:
    """Ours and a plain loop. See `bench.works.Measure` for the arguments."""
    out = OUT / WORK
    with running_emulator(out / "emulator") as url:

        @contextmanager
        def place(folder: Path) -> Iterator[_Stream]:
            stream = _Stream(url, folder)
            try:
                yield stream
            finally:
                stream.close()

        return measure(WORK, OURS, list(_contenders()), place, size, out, say), []
