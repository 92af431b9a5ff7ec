"""A queue on a broker, an idempotency table on the embedded AWS, and real worker processes between the two."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import stomp
from pika.exceptions import ChannelClosedByBroker
from pika.spec import BasicProperties

from contracts import environment as names
from contracts.messages import FAILURE, Failure
from tests.emulator import ROOT, Account
from tests.worker.broker.servers import PASSWORD, USERNAME, ActiveMq, RabbitMq
from tests.worker.handlers import GATE
from tests.worker.support import Worker, calls_in, wait_for

__all__ = ["ActiveShop", "BrokerShop", "RabbitShop", "reason_of"]


class BrokerWorker(Worker):
    """One ``python -m worker broker``."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self.log = directory / f"worker-{uuid.uuid4().hex[:8]}.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "worker", "broker"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def wait_until_consuming(self, times: int = 1) -> None:
        """Until it has connected for the `times`-th time."""
        wait_for("the worker to consume", lambda: self.text().count('"consuming ') >= times, 60)


def reason_of(headers: Mapping[str, Any] | None) -> Failure:
    """The reason that the worker wrote on a dead letter."""
    failure = Failure.from_json(str((headers or {})[FAILURE]))
    assert failure is not None, headers
    return failure


class BrokerShop:
    """What does not depend on the broker."""

    def __init__(self, account: Account, trace: Path, url: str) -> None:
        self.trace = trace
        self.queue = f"orders-{uuid.uuid4().hex[:8]}"
        self.dynamodb = account.client("dynamodb")
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
            names.BROKER_URLS: url,
            names.BROKER_USERNAME: USERNAME,
            names.BROKER_PASSWORD: PASSWORD,
            names.BROKER_QUEUE: self.queue,
            names.BROKER_LEASE_SECONDS: "2",
            names.MAX_RECEIVE_COUNT: "3",
            names.STOP_TIMEOUT_SECONDS: "20",
            names.IDEMPOTENCY_TABLE: "keys",
            "TRACE": str(trace),
        }

    def calls(self, what: str = "begin") -> list[dict[str, Any]]:
        """What the handler did, in order."""
        return calls_in(self.trace, what)

    def open_gate(self) -> None:
        """Let the handlers end that were told to wait for it."""
        (self.trace / GATE).touch()

    def attempts(self) -> Counter[str]:
        return Counter(call["key"] for call in self.calls())

    def ends(self) -> Counter[str]:
        return Counter(call["key"] for call in self.calls("end"))

    def effects(self) -> set[str]:
        return {path.stem for path in self.trace.glob("*.effect")}

    def start(self, **environment: str) -> BrokerWorker:
        return BrokerWorker({**self.environment, **environment}, self.trace)

    @contextmanager
    def worker(self, **environment: str) -> Iterator[BrokerWorker]:
        """A worker that is stopped with SIGTERM, and must then exit with 0."""
        process = self.start(**environment)
        try:
            yield process
            assert process.stop() == 0, process.text()
        finally:
            process.kill()


class RabbitShop(BrokerShop):
    def __init__(self, account: Account, trace: Path, server: RabbitMq) -> None:
        super().__init__(account, trace, server.url)
        self.server = server

    def declare(self) -> None:
        """The queue as the worker makes it, so that messages can wait before the first worker starts."""
        with self.worker() as worker:
            worker.wait_until_consuming()

    def send(self, bodies: Sequence[str | bytes], **properties: Any) -> None:
        """Publish in order, each confirmed."""
        with self.server.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for body in bodies:
                content = body.encode() if isinstance(body, str) else body
                chosen = BasicProperties(message_id=uuid.uuid4().hex, delivery_mode=2, **properties)
                channel.basic_publish("", self.queue, content, chosen, mandatory=True)

    def count(self, name: str | None = None) -> int:
        """Messages that are ready in a queue; -1 when there is no such queue."""
        with self.server.connect() as connection:
            while True:
                asked_at = time.monotonic()
                try:
                    answer = connection.channel().queue_declare(name or self.queue, passive=True)
                except ChannelClosedByBroker:
                    return -1
                if time.monotonic() - asked_at < 0.2:  # later it may be the 0 of a leader that has not answered
                    return int(answer.method.message_count)

    def waiting(self) -> int:
        """Messages ready in the queue and in its retry queues."""
        retries = [f"{self.queue}.retry.{2**power}s" for power in range(6)]
        # The queue last: what returns to it meanwhile is not missed.
        return sum(max(0, self.count(name)) for name in (*retries, self.queue))

    def dead_letters(self) -> list[tuple[BasicProperties, bytes]]:
        found: list[tuple[BasicProperties, bytes]] = []
        with self.server.connect() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(f"{self.queue}.dlq", auto_ack=True)
                if method is None or properties is None:
                    return found
                found.append((properties, body or b""))


class ActiveShop(BrokerShop):
    def __init__(self, account: Account, trace: Path, server: ActiveMq) -> None:
        super().__init__(account, trace, server.url)
        self.server = server

    @contextmanager
    def _connection(self) -> Iterator[stomp.Connection12]:
        connection = stomp.Connection12([("127.0.0.1", self.server.port)], auto_decode=False, auto_content_length=False)
        connection.connect(USERNAME, PASSWORD, wait=True)
        try:
            yield connection
        finally:
            connection.disconnect(receipt=uuid.uuid4().hex)

    def send(self, bodies: Sequence[str | bytes], headers: Mapping[str, str] | None = None) -> None:
        """Send in order; the transaction's receipt confirms all."""
        with self._connection() as connection:
            waiter = _Waiter()
            connection.set_listener("waiter", waiter)
            transaction = connection.begin()
            for body in bodies:
                extra = dict(headers or {}) | {"persistent": "true"}
                if isinstance(body, bytes):
                    extra["content-length"] = str(len(body))
                connection.send(f"/queue/{self.queue}", body, headers=extra, transaction=transaction)
            connection.send_frame("COMMIT", {"transaction": transaction, "receipt": "sent"})
            assert waiter.receipt.wait(20)

    def read(self, name: str, number: int, patience_seconds: float = 1.0) -> list[stomp.utils.Frame]:
        """Take up to `number` messages off a queue; fewer when none has come for so long."""
        with self._connection() as connection:
            waiter = _Waiter()
            connection.set_listener("waiter", waiter)
            connection.subscribe(f"/queue/{name}", id="reader", ack="auto")
            with waiter.changed:
                while len(waiter.frames) < number and waiter.changed.wait(patience_seconds):
                    pass
            return waiter.frames

    def dead_letters(self, number: int) -> list[stomp.utils.Frame]:
        """So many, which are there or on their way."""
        return self.read(f"{self.queue}.dlq", number, patience_seconds=20)


class _Waiter(stomp.ConnectionListener):  # type: ignore[misc]  # the library has no type information
    def __init__(self) -> None:
        self.receipt = threading.Event()
        self.changed = threading.Condition()
        self.frames: list[stomp.utils.Frame] = []

    def on_receipt(self, frame: stomp.utils.Frame) -> None:
        if frame.headers.get("receipt-id") == "sent":
            self.receipt.set()

    def on_message(self, frame: stomp.utils.Frame) -> None:
        with self.changed:
            self.frames.append(frame)
            self.changed.notify_all()
