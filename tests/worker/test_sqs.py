from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from tests.emulator import Account
from tests.faults.proxy import Fault, FaultsProxy
from worker.sources.queue.messages import Message
from worker.sources.queue.sqs import BatchResult, Queue, repeat


def queue_of(account: Account, number: int) -> Queue:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    for position in range(number):
        sqs.send_message(QueueUrl=url, MessageBody=str(position))
    return Queue(sqs, url, poller=sqs, visibility_timeout_seconds=30, wait_seconds=1)


def receive_all(queue: Queue, number: int) -> list[Message]:
    messages: list[Message] = []
    while len(messages) < number:
        messages += queue.receive(10)
    return messages


def test_the_arn_follows_from_the_url(account: Account) -> None:
    assert queue_of(account, 0).arn == f"arn:aws:sqs:ap-southeast-2:{account.id}:orders"


def test_more_than_ten_go_in_batches_of_ten(account: Account) -> None:
    with FaultsProxy(account.endpoint_url) as proxy:
        queue = queue_of(Account(proxy.url, id=account.id), 23)
        messages = receive_all(queue, 23)
        assert len(queue.set_visibility(dict.fromkeys(messages, 60)).done) == 23
        assert len(queue.delete(messages).done) == 23
        assert (proxy.calls["ChangeMessageVisibilityBatch"], proxy.calls["DeleteMessageBatch"]) == (3, 3)


def test_a_lost_answer_of_a_fifo_queue_is_asked_for_again(account: Account) -> None:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    attempts: list[str] = []

    def note(params: Any, **_: Any) -> None:
        attempts.append(json.loads(params["body"])["ReceiveRequestAttemptId"])

    with FaultsProxy(account.endpoint_url) as proxy:
        poller = Account(proxy.url, id=account.id).client("sqs")
        poller.meta.events.register("before-call.sqs.ReceiveMessage", note)
        queue = Queue(poller, url, poller=poller, visibility_timeout_seconds=30, wait_seconds=0)
        proxy.inject("ReceiveMessage", Fault.DROPPED_AFTER, times=3)
        with pytest.raises(BotoCoreError):
            queue.receive(10)
        queue.receive(10)
        queue.receive(10)
    assert attempts[0] == attempts[1] != attempts[2]


def test_a_partial_failure_names_its_messages(account: Account) -> None:
    with FaultsProxy(account.endpoint_url) as proxy:
        queue = queue_of(Account(proxy.url, id=account.id), 5)
        messages = receive_all(queue, 5)
        proxy.inject("DeleteMessageBatch", Fault.PARTIAL)
        result = queue.delete(messages)
        assert result.done == messages[1::2]
        assert result.failed == dict.fromkeys(messages[::2], "InternalError")
        again = queue.delete(result.failed)
        assert again.done == messages[::2]


def test_a_message_that_was_deleted_is_gone_and_not_repeated(account: Account) -> None:
    queue = queue_of(account, 1)
    (message,) = receive_all(queue, 1)
    queue.delete([message])
    result = queue.delete([message])
    assert result.gone == {message: "ReceiptHandleIsInvalid"}
    assert result.failed == {}


def test_a_refused_call_fails_all_of_its_messages(account: Account) -> None:
    with FaultsProxy(account.endpoint_url) as proxy:
        queue = queue_of(Account(proxy.url, id=account.id), 2)
        messages = receive_all(queue, 2)
        proxy.inject("DeleteMessageBatch", Fault.ACCESS_DENIED)
        assert queue.delete(messages).failed == dict.fromkeys(messages, "AccessDenied")


def test_repeat_calls_again_with_what_failed_and_gives_up_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    one, two, three = (Message(id=str(n), body="", receipt_handle="", attributes={}) for n in range(3))
    calls: list[list[Message]] = []
    pauses: list[float] = []

    def call(messages: object) -> BatchResult:
        left = list(messages)  # type: ignore[call-overload]
        calls.append(left)
        return BatchResult(
            done=[m for m in left if m is one],
            failed={m: "InternalError" for m in left if m is two},
            gone={m: "ReceiptHandleIsInvalid" for m in left if m is three},
        )

    result = repeat(call, [one, two, three], "delete", attempts=3, pause=pauses.append)
    assert calls == [[one, two, three], [two], [two]]
    assert (result.done, list(result.failed), list(result.gone)) == ([one], [two], [three])
    assert 0.1 <= pauses[0] <= 0.2 <= pauses[1] <= 0.4
    assert caplog.text.count("cannot delete a message") == 2
