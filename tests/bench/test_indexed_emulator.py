"""Indexed queues behave like the queues that they replace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator import Account, running_emulator


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("servers")
    with (
        running_emulator(folder / "scanning") as scanning,
        running_emulator(folder / "indexed", module="bench.indexed_emulator") as indexed,
    ):
        yield {"scanning": scanning, "indexed": indexed}


class Queue:
    def __init__(self, url: str, **attributes: str) -> None:
        self.sqs: Any = Account(url).client("sqs")
        name = "q.fifo" if "FifoQueue" in attributes else "q"
        self.url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def send(self, count: int, **entry: str) -> None:
        for start in range(0, count, 10):
            numbers = range(start, min(start + 10, count))
            entries = [{"Id": str(n), "MessageBody": str(n), **entry} for n in numbers]
            assert not self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def receive(self, **options: int) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"], **options
        ).get("Messages", [])
        return messages

    def delete(self, *messages: dict[str, Any]) -> list[str]:
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return [failure["Code"] for failure in answer.get("Failed", [])]

    def counts(self) -> tuple[int, int]:
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return tuple(int(attributes[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible"))  # type: ignore[return-value]  # two


@pytest.mark.parametrize("server", ["scanning", "indexed"])
class TestBothServers:
    def test_every_message_comes_once_in_order_and_is_gone_when_deleted(self, servers: dict[str, str], server: str):
        queue = Queue(servers[server])
        queue.send(35)
        taken: list[str] = []
        while messages := queue.receive():
            taken += [message["Body"] for message in messages]
            assert queue.delete(*messages) == []
        assert taken == [str(number) for number in range(35)]
        assert queue.counts() == (0, 0)

    def test_what_is_in_flight_is_hidden_and_counted(self, servers: dict[str, str], server: str):
        queue = Queue(servers[server])
        queue.send(3)
        assert len(queue.receive()) == 3
        assert queue.receive() == []
        assert queue.counts() == (0, 3)

    def test_what_is_given_back_comes_again_with_a_new_receipt(self, servers: dict[str, str], server: str):
        queue = Queue(servers[server])
        queue.send(1)
        (first,) = queue.receive()
        queue.sqs.change_message_visibility(
            QueueUrl=queue.url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
        )
        (second,) = queue.receive()
        assert second["Attributes"]["ApproximateReceiveCount"] == "2"
        assert queue.delete(first) == ["ReceiptHandleIsInvalid"]
        assert queue.delete(second) == []
        assert queue.delete(second) == ["ReceiptHandleIsInvalid"]

    def test_visibility_zero_hides_nothing(self, servers: dict[str, str], server: str):
        queue = Queue(servers[server])
        queue.send(1)
        assert [len(queue.receive(VisibilityTimeout=0)) for _ in range(3)] == [1, 1, 1]

    def test_a_single_delete_and_a_purge(self, servers: dict[str, str], server: str):
        queue = Queue(servers[server])
        queue.send(12)
        one = queue.receive()[0]
        queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=one["ReceiptHandle"])
        assert queue.counts() == (2, 9)
        queue.sqs.purge_queue(QueueUrl=queue.url)
        assert queue.counts() == (0, 0)
        queue.send(2)
        assert [message["Body"] for message in queue.receive()] == ["0", "1"]

    def test_fifo_groups_stay_in_order(self, servers: dict[str, str], server: str):
        queue = Queue(servers[server], FifoQueue="true", ContentBasedDeduplication="true")
        queue.send(15, MessageGroupId="g")
        first = queue.receive()
        assert [message["Body"] for message in first] == [str(number) for number in range(len(first))]
        assert queue.receive() == []
