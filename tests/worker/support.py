"""A queue with everything that belongs to it, and worker processes that consume it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from contracts import environment as names
from tests.emulator import ROOT, Account
from tests.worker.handlers import GATE

T = TypeVar("T")

ORDER: dict[str, Any] = {
    "channel-id": "c-1",
    "created-at": "2021-11-26T16:05:09-04:00",
    "name": "marinara",
    "city": "Auckland",
    "region": "NZ",
    "OrderType": ["Pickup"],
}
"""Data of an `envelope` that obeys the schema of its kind."""


def wait_for(what: str, condition: Callable[[], T], seconds: float = 60) -> T:
    """Poll until `condition` is truthy; fails with `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}; last: {value!r}")
        time.sleep(0.05)
    return value


def envelope(key: str, **data: Any) -> str:
    """An event as it lies in the queue."""
    return json.dumps(
        {
            "id": str(uuid.uuid4()),
            "source": "pizza.service.com",
            "detail-type": "OrderCreated",
            "detail": {"metadata": {"idempotency-key": key}, "data": data},
        }
    )


def calls_in(trace: Path, what: str = "begin") -> list[dict[str, Any]]:
    """What tests.worker.handlers did, in order; without a line that SIGKILL tore, which has the next one behind it."""
    path = trace / "calls.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    calls = [json.loads(line[line.rindex('{"key"') :]) for line in lines if line.endswith("}")]
    return [call for call in calls if call["what"] == what]


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Every line of it must be JSON, but for the last one while its worker is still writing it."""
    content = log.read_bytes()
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


class Shop:
    """Queue, dead-letter queue and idempotency table in one account, and the trace of tests.worker.handlers."""

    def __init__(
        self,
        account: Account,
        trace: Path,
        *,
        fifo: bool = False,
        visibility_timeout_seconds: int = 30,
        max_receive_count: int = 3,
    ) -> None:
        self.account = account
        self.trace = trace
        self.fifo = fifo
        self.sqs = account.client("sqs")
        self.dynamodb = account.client("dynamodb")
        suffix, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
        self.dlq_url = self.sqs.create_queue(QueueName=f"orders-dlq{suffix}", Attributes=attributes)["QueueUrl"]
        dlq_arn = self._attributes(self.dlq_url)["QueueArn"]
        redrive = {"deadLetterTargetArn": dlq_arn, "maxReceiveCount": max_receive_count}
        self.url = self.sqs.create_queue(
            QueueName=f"orders{suffix}",
            Attributes={
                **attributes,
                "VisibilityTimeout": str(visibility_timeout_seconds),
                "RedrivePolicy": json.dumps(redrive),
            },
        )["QueueUrl"]
        self.arn = self._attributes(self.url)["QueueArn"]
        self.dynamodb.create_table(
            TableName="keys",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.environment = {
            **account.environment(),
            names.HANDLER: "tests.worker.handlers:handle",
            names.PATTERN: "orders",
            names.QUEUE_URL: self.url,
            names.DEAD_LETTER_QUEUE_URL: self.dlq_url,
            names.MAX_RECEIVE_COUNT: str(max_receive_count),
            names.VISIBILITY_TIMEOUT_SECONDS: str(visibility_timeout_seconds),
            names.RECEIVE_WAIT_SECONDS: "1",
            names.STOP_TIMEOUT_SECONDS: "20",
            names.IDEMPOTENCY_TABLE: "keys",
            "TRACE": str(trace),
        }

    def _attributes(self, url: str) -> dict[str, str]:
        attributes: dict[str, str] = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return attributes

    # -- what goes in --------------------------------------------------------------------------------------------

    def send(self, bodies: list[str], groups: list[str] | None = None) -> None:
        """Send in order, ten at a time."""
        for start in range(0, len(bodies), 10):
            entries: list[dict[str, Any]] = []
            for number, body in enumerate(bodies[start : start + 10]):
                entry: dict[str, Any] = {"Id": str(number), "MessageBody": body}
                if groups:
                    entry["MessageGroupId"] = groups[start + number]
                if self.fifo:
                    entry["MessageDeduplicationId"] = str(uuid.uuid4())
                entries.append(entry)
            answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            assert not answer.get("Failed"), answer["Failed"]

    # -- what comes out ------------------------------------------------------------------------------------------

    def counts(self, url: str | None = None) -> tuple[int, int]:
        """Visible and in flight."""
        attributes = self._attributes(url or self.url)
        return (
            int(attributes["ApproximateNumberOfMessages"]),
            int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )

    def wait_until_empty(self, seconds: float = 60) -> None:
        wait_for("an empty queue", lambda: self.counts() == (0, 0), seconds)

    def calls(self, what: str = "begin") -> list[dict[str, Any]]:
        """What the handler did, in order."""
        return calls_in(self.trace, what)

    def open_gate(self) -> None:
        """Let the handlers end that were told to wait for it."""
        (self.trace / GATE).touch()

    def close_gate(self) -> None:
        (self.trace / GATE).unlink()

    def more_calls_than(self, number: int) -> bool:
        return len(self.calls()) > number

    def attempts(self) -> Counter[str]:
        return Counter(call["key"] for call in self.calls())

    def effects(self) -> set[str]:
        return {path.stem for path in self.trace.glob("*.effect")}

    def dead_letters(self) -> list[dict[str, Any]]:
        """Everything in the dead-letter queue, in order."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.dlq_url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            found += messages
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.dlq_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def records(self) -> list[dict[str, Any]]:
        """The idempotency table's items."""
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName="keys")["Items"]
        return items

    # -- who works -----------------------------------------------------------------------------------------------

    def start(self, **environment: str) -> Worker:
        return Worker({**self.environment, **environment}, self.trace)

    @contextmanager
    def worker(self, **environment: str) -> Iterator[Worker]:
        """A worker that is stopped with SIGTERM, and must then exit with 0."""
        process = self.start(**environment)
        try:
            yield process
            assert process.stop() == 0, process.text()
        finally:
            process.kill()


class Worker:
    """One ``python -m worker <source>``."""

    def __init__(self, environment: dict[str, str], directory: Path, source: str = "queue") -> None:
        self.log = directory / f"worker-{uuid.uuid4().hex[:8]}.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "worker", source]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def stop(self, timeout_seconds: float = 60) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_seconds)

    def begin_to_stop(self) -> None:
        """SIGTERM; returns when the worker has taken notice, and may be waiting for what it has begun."""
        self.process.send_signal(signal.SIGTERM)
        wait_for("the worker to stop", lambda: any(line["message"] == "stopping" for line in self.lines()))

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def text(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return lines_of(self.log)

    def outcomes(self) -> Counter[str]:
        return Counter(line["outcome"] for line in self.lines() if "outcome" in line)
