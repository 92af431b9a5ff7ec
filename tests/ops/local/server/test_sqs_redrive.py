"""The dead-letter queue redrive API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import Account
from tests.ops.local.server.helpers import depth, queue, receive, wait_until


class Pair:
    """A queue and its dead-letter queue."""

    def __init__(self, account: Account, *, fifo: bool = False, name: str = "q") -> None:
        self.account = account
        self.sqs = account.client("sqs")
        suffix, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
        self.dlq_url, self.dlq_arn = queue(account, f"{name}-dlq{suffix}", attributes)
        policy = json.dumps({"deadLetterTargetArn": self.dlq_arn, "maxReceiveCount": 1})
        self.url, self.arn = queue(account, f"{name}{suffix}", {**attributes, "RedrivePolicy": policy})

    def dead_letter(self, count: int, **message: Any) -> None:
        """Send messages and receive them once too often."""
        for number in range(count):
            extra = {"MessageGroupId": f"g{number % 2}", "MessageDeduplicationId": str(number)} if message else {}
            self.sqs.send_message(QueueUrl=self.url, MessageBody=str(number), **extra)
        for _ in range(count):
            self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        self.sqs.receive_message(QueueUrl=self.url)
        assert depth(self.account, self.dlq_url) == count

    def latest(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sqs.list_message_move_tasks(SourceArn=self.dlq_arn)["Results"][0]
        return found

    def wait_for(self, status: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            task = self.latest()
            return task if task["Status"] == status else None

        return wait_until(reached, f"move task {status}")


def _refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_sources_of_a_dlq(account: Account) -> None:
    pair = Pair(account)
    assert pair.sqs.list_dead_letter_source_queues(QueueUrl=pair.dlq_url)["queueUrls"] == [pair.url]
    assert pair.sqs.list_dead_letter_source_queues(QueueUrl=pair.url)["queueUrls"] == []


def test_messages_go_back_to_where_they_came_from_as_new_messages(account: Account) -> None:
    pair = Pair(account)
    pair.dead_letter(25)
    pair.sqs.start_message_move_task(SourceArn=pair.dlq_arn)
    task = pair.wait_for("COMPLETED")
    assert task["ApproximateNumberOfMessagesMoved"] == 25
    assert task["ApproximateNumberOfMessagesToMove"] == 25
    assert "TaskHandle" not in task
    assert (depth(account, pair.url), depth(account, pair.dlq_url)) == (25, 0)
    message = receive(account, pair.url)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "DeadLetterQueueSourceArn" not in message["Attributes"]


def test_messages_go_to_the_destination_that_is_given(account: Account) -> None:
    pair = Pair(account)
    url, arn = queue(account, "elsewhere")
    pair.dead_letter(3)
    pair.sqs.start_message_move_task(SourceArn=pair.dlq_arn, DestinationArn=arn)
    assert pair.wait_for("COMPLETED")["DestinationArn"] == arn
    assert (depth(account, url), depth(account, pair.url)) == (3, 0)


def test_fifo_order_per_group_is_kept(account: Account) -> None:
    pair = Pair(account, fifo=True)
    pair.dead_letter(6, fifo=True)
    pair.sqs.start_message_move_task(SourceArn=pair.dlq_arn)
    pair.wait_for("COMPLETED")
    bodies = []
    while depth(account, pair.url):
        message = receive(account, pair.url)
        bodies.append(message["Body"])
        pair.sqs.delete_message(QueueUrl=pair.url, ReceiptHandle=message["ReceiptHandle"])
    assert [body for body in bodies if int(body) % 2 == 0] == ["0", "2", "4"]
    assert [body for body in bodies if int(body) % 2 == 1] == ["1", "3", "5"]


def test_a_message_of_unknown_origin_stays_and_the_task_fails(account: Account) -> None:
    pair = Pair(account)
    pair.dead_letter(2)
    pair.sqs.send_message(QueueUrl=pair.dlq_url, MessageBody="stray")
    pair.sqs.start_message_move_task(SourceArn=pair.dlq_arn)
    task = pair.wait_for("FAILED")
    assert task["FailureReason"] == "CouldNotDetermineMessageSource"
    assert (depth(account, pair.url), depth(account, pair.dlq_url)) == (2, 1)
    assert receive(account, pair.dlq_url)["Body"] == "stray"


def test_a_slow_task_is_alone_and_can_be_cancelled(account: Account) -> None:
    pair = Pair(account)
    pair.dead_letter(10)
    handle = pair.sqs.start_message_move_task(SourceArn=pair.dlq_arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    assert pair.latest()["TaskHandle"] == handle
    assert pair.latest()["Status"] == "RUNNING"
    assert "already a task running" in _refused(pair.sqs.start_message_move_task, SourceArn=pair.dlq_arn)[1]
    moved = pair.sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    task = pair.wait_for("CANCELLED")
    assert moved <= task["ApproximateNumberOfMessagesMoved"] < 10
    assert depth(account, pair.dlq_url) == 10 - task["ApproximateNumberOfMessagesMoved"]
    assert _refused(pair.sqs.cancel_message_move_task, TaskHandle=handle)[0].endswith("UnsupportedOperation")
    pair.sqs.start_message_move_task(SourceArn=pair.dlq_arn)
    pair.wait_for("COMPLETED")


def test_what_cannot_be_moved_is_refused(account: Account) -> None:
    pair = Pair(account)
    start = pair.sqs.start_message_move_task
    _, fifo_arn = queue(account, "f.fifo", {"FifoQueue": "true"})
    assert "configured as a Dead Letter Queue" in _refused(start, SourceArn=pair.arn)[1]
    assert _refused(start, SourceArn=pair.dlq_arn + "x")[0] == "ResourceNotFoundException"
    assert _refused(start, SourceArn=pair.dlq_arn, DestinationArn=pair.arn + "x")[0] == "ResourceNotFoundException"
    assert "same type" in _refused(start, SourceArn=pair.dlq_arn, DestinationArn=fifo_arn)[1]
    assert "1 to 500" in _refused(start, SourceArn=pair.dlq_arn, MaxNumberOfMessagesPerSecond=501)[1]
    assert _refused(pair.sqs.cancel_message_move_task, TaskHandle="x")[0] == "ResourceNotFoundException"


def test_a_redrive_allow_policy_is_obeyed(account: Account) -> None:
    sqs = account.client("sqs")
    allowed = f"arn:aws:sqs:{account.region}:{account.id}:allowed"
    allow = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [allowed]})
    _, dlq_arn = queue(account, "dlq", {"RedriveAllowPolicy": allow})
    policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 3})}
    queue(account, "allowed", policy)
    assert "RedriveAllowPolicy" in _refused(sqs.create_queue, QueueName="other", Attributes=policy)[1]
    url, _ = queue(account, "other")
    assert "RedriveAllowPolicy" in _refused(sqs.set_queue_attributes, QueueUrl=url, Attributes=policy)[1]


def test_a_dlq_must_be_of_the_same_type(account: Account) -> None:
    _, dlq_arn = queue(account, "dlq")
    attributes = {
        "FifoQueue": "true",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 3}),
    }
    create = account.client("sqs").create_queue
    assert "same type" in _refused(create, QueueName="q.fifo", Attributes=attributes)[1]
