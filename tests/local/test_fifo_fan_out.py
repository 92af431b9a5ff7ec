"""FIFO fan-out: 50 groups × 20 events through a topic to three queues and their workers, one of which is killed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from contracts import environment as names
from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program
from tests.worker.handlers import GATE
from tests.worker.support import Worker, calls_in, envelope, wait_for

pytestmark = pytest.mark.timeout(400)

GROUPS, EVENTS = 50, 20
QUEUES = ("kitchen", "billing", "stats")
PROGRAM = """
from components.routers.subscriptions import QueueSubscription
from components.routers.topic import Topic, TopicArgs
from components.stores.idempotency_table import IdempotencyTable
from components.stores.queue import Queue, QueueArgs

topic = Topic("orders", TopicArgs(fifo=True, high_throughput=True))
found = {}
for name in ("kitchen", "billing", "stats"):
    queue = Queue(name, QueueArgs(fifo=True, high_throughput=True, visibility_timeout_seconds=6))
    undelivered = topic.subscribe(QueueSubscription(queue=queue))
    table = IdempotencyTable(f"{name}-keys")
    found[name] = {
        "url": queue.url,
        "dlq": queue.dead_letter_queue.url,
        "undelivered": undelivered.url,
        "table": table.table_name,
    }
pulumi.export("topic", topic.arn)
pulumi.export("queues", found)
"""


class Consumer:
    """A queue of the program, the workers that consume it, and what they did."""

    def __init__(self, account: Account, queue: dict[str, str], trace: Path) -> None:
        trace.mkdir()
        self.queue, self.trace = queue, trace
        self.sqs: Any = account.client("sqs")
        self._environment = {
            **account.environment(),
            names.HANDLER: "tests.worker.handlers:handle",
            names.QUEUE_URL: queue["url"],
            names.DEAD_LETTER_QUEUE_URL: queue["dlq"],
            names.MAX_RECEIVE_COUNT: "5",
            names.VISIBILITY_TIMEOUT_SECONDS: "6",
            names.RECEIVE_WAIT_SECONDS: "1",
            names.STOP_TIMEOUT_SECONDS: "20",
            names.CONCURRENCY: "10",
            names.IDEMPOTENCY_TABLE: queue["table"],
            "TRACE": str(trace),
        }

    def start(self) -> Worker:
        return Worker(self._environment, self.trace)

    def calls(self, what: str) -> list[dict[str, Any]]:
        return calls_in(self.trace, what)

    def effects(self) -> int:
        return sum(1 for _ in self.trace.glob("*.effect"))

    def left(self, which: str = "url") -> tuple[int, int]:
        """Visible and in flight."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue[which], AttributeNames=["All"])["Attributes"]
        kinds = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return int(attributes[kinds[0]]), int(attributes[kinds[1]])


def publish_all(sns: Any, topic: str) -> None:
    """Event after event of each group, the groups interleaved."""
    entries = [
        {
            "Id": str(group),
            # Nobody is through before its gate is open.
            "Message": envelope(f"g{group}-{number}", group=group, number=number, gate=int(number == EVENTS - 1)),
            "MessageGroupId": f"g{group}",
            "MessageDeduplicationId": f"g{group}-{number}",
        }
        for number in range(EVENTS)
        for group in range(GROUPS)
    ]
    for start in range(0, len(entries), 10):
        assert not sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries[start : start + 10])["Failed"]


def test_order_per_group_is_kept_and_nothing_is_lost_when_a_worker_is_killed(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path / "program", PROGRAM)
    assert run.error == ""
    consumers = {name: Consumer(account, run.outputs["queues"][name], tmp_path / name) for name in QUEUES}
    workers = {name: consumer.start() for name, consumer in consumers.items()}
    killed = consumers["billing"]
    try:
        publish_all(account.client("sns"), run.outputs["topic"])
        wait_for("work in the middle of it", lambda: killed.effects() > 100, 60)
        workers["billing"].kill()
        assert killed.effects() < GROUPS * EVENTS, "the kill came too late to prove anything"
        for consumer in consumers.values():
            (consumer.trace / GATE).touch()
        workers["billing again"] = killed.start()
        for name, consumer in consumers.items():
            wait_for(f"{name} to finish", lambda c=consumer: c.effects() == GROUPS * EVENTS, 90)  # type: ignore[misc]  # a default binds the loop's variable
            wait_for(f"{name}'s empty queue", lambda c=consumer: c.left() == (0, 0), 30)  # type: ignore[misc]  # as above
        stopped = [worker.stop() for name, worker in workers.items() if name != "billing"]
        assert stopped == [0, 0, 0]
    finally:
        for worker in workers.values():
            worker.kill()

    for name, consumer in consumers.items():
        order: dict[int, list[int]] = defaultdict(list)
        for call in consumer.calls("end"):
            if call["number"] not in order[call["group"]]:  # a copy after the kill; the first one made the effect
                order[call["group"]].append(call["number"])
        assert order == {group: list(range(EVENTS)) for group in range(GROUPS)}, name
        assert consumer.left("dlq") == consumer.left("undelivered") == (0, 0), name
    extra = {name: len(consumer.calls("end")) - GROUPS * EVENTS for name, consumer in consumers.items()}
    assert extra["kitchen"] == extra["stats"] == 0
    assert 0 <= extra["billing"] <= 10, "at most the messages in hand are handled again"
