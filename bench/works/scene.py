"""Queues on an embedded AWS, filled, for one run of one contender."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.isolation import home_free_environment
from tests.emulator import Account

__all__ = ["Scene", "fresh_scene", "order", "round_robin"]

_SENDERS = 4


class Scene:
    """One account with a queue `orders` and its dead-letter queue `orders-dlq`.

    Args:
        url: of the embedded AWS, for this process.
        seen_as: the URL that the contender uses, e.g. a proxy's.
        folder: for what the contender writes.
    """

    def __init__(self, url: str, seen_as: str, folder: Path) -> None:
        self.account = Account(url)
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **self.account.environment(),
            **home_free_environment(folder),
            "AWS_ENDPOINT_URL": seen_as,
            "EDA_STATE_DIR": str(folder / "state"),
        }
        self.sqs: Any = self.account.client("sqs", max_pool_connections=_SENDERS)
        self.queue_url: str = self.sqs.create_queue(QueueName="orders")["QueueUrl"]
        self.dlq_url: str = self.sqs.create_queue(QueueName="orders-dlq")["QueueUrl"]

    def fill(self, url: str, bodies: Sequence[str]) -> None:
        """Send bodies, ten at a time."""

        def send(start: int) -> None:
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.sqs.send_message_batch(QueueUrl=url, Entries=entries)

        with ThreadPoolExecutor(_SENDERS) as pool:
            list(pool.map(send, range(0, len(bodies), 10)))

    def depth(self, url: str) -> int:
        """Messages in a queue, visible and in flight."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return sum(int(attributes[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible", "Delayed"))

    def close(self) -> None:
        """Free the emulator's memory."""
        for url in (self.queue_url, self.dlq_url):
            self.sqs.delete_queue(QueueUrl=url)


@contextmanager
def fresh_scene(url: str, seen_as: str, folder: Path) -> Iterator[Scene]:
    """A scene that ends with its run."""
    scene = Scene(url, seen_as, folder)
    try:
        yield scene
    finally:
        scene.close()


def order(number: int, sent_at: float = 0.0) -> str:
    """The body of an order's event, about 500 bytes."""
    return json.dumps(
        {
            "source": "pizza.service.com",
            "detail-type": "OrderCreated",
            "detail": {
                "metadata": {"idempotency-key": f"order-{number}"},
                "data": {"order_id": number, "sent_at": sent_at, "region": "NZ", "note": "x" * 330},
            },
        }
    )


def round_robin(runs: int, contenders: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Every contender once per round, so that what disturbs the machine disturbs all of them."""
    for run in range(runs):
        for name in contenders:
            yield run, name
