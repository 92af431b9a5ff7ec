from __future__ import annotations

import random
from typing import Any

import pytest

from contracts.messages import FAILURE, Failure
from tests.emulator import Account
from worker.backoff import MAX_RETRY_SECONDS, retry_delay_seconds
from worker.sources.queue.dead_letters import MAX_MESSAGE_BYTES, DeadLetters, attributes_with_reason, failure_of
from worker.sources.queue.messages import Message


def text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}


def message(body: str = "{}", attributes: dict[str, Any] | None = None, group: str | None = None) -> Message:
    return Message(
        id="11111111-2222-3333-4444-555555555555",
        body=body,
        receipt_handle="r",
        receive_count=2,
        attributes=attributes or {},
        group=group,
    )


def reason(subject: Message, error_text: str = "because") -> Failure:
    return failure_of(ValueError(error_text), subject, retryable=True, queue_arn="arn:aws:sqs:r:1:q")


def test_the_reason_joins_the_attributes() -> None:
    subject = message(attributes={"tenant": text("a")})
    attributes = attributes_with_reason(subject, reason(subject))
    assert attributes["tenant"] == text("a")
    failure = Failure.from_json(attributes[FAILURE]["StringValue"])
    assert failure is not None
    assert (failure.error, failure.message, failure.receive_count) == ("ValueError", "because", 2)


def test_the_reason_of_an_earlier_failure_is_replaced() -> None:
    own = {f"a{number}": text("x") for number in range(9)}
    subject = message(attributes={**own, FAILURE: text("old")})
    attributes = attributes_with_reason(subject, reason(subject))
    assert len(attributes) == 10
    assert "because" in attributes[FAILURE]["StringValue"]


def test_ten_attributes_of_the_users_leave_no_room(caplog: pytest.LogCaptureFixture) -> None:
    own = {f"a{number}": text("x") for number in range(10)}
    subject = message(attributes=own)
    assert attributes_with_reason(subject, reason(subject)) == own
    assert "no room for the reason: the message has 10 attributes" in caplog.text


@pytest.mark.parametrize(("room", "characters"), [(2000, 1000), (600, 200), (300, 0), (100, None)])
def test_the_reason_is_shortened_to_what_a_message_may_hold(room: int, characters: int | None) -> None:
    subject = message("x" * (MAX_MESSAGE_BYTES - room))
    attributes = attributes_with_reason(subject, reason(subject, "e" * 5000))
    if characters is None:
        assert attributes == {}
        return
    failure = Failure.from_json(attributes[FAILURE]["StringValue"])
    assert failure is not None
    assert len(failure.message) == characters


@pytest.mark.parametrize("room", [2000, 600, 300, 100])
def test_what_is_sent_is_accepted_at_the_limit(account: Account, room: int) -> None:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="dlq")["QueueUrl"]
    subject = message("x" * (MAX_MESSAGE_BYTES - room))
    assert DeadLetters(sqs, url).put(subject, reason(subject, "e\ud800\ufffe\x00" * 2000))


def test_a_fifo_queue_takes_a_repeated_message_once_and_keeps_its_group(account: Account) -> None:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="dlq.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    subject = message(group="g")
    dead_letters = DeadLetters(sqs, url)
    assert dead_letters.put(subject, reason(subject))
    assert dead_letters.put(subject, reason(subject))
    (found,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    assert found["Attributes"]["MessageGroupId"] == "g"


def test_a_message_that_is_refused_is_reported(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    subject = message()
    assert not DeadLetters(account.client("sqs"), "http://localhost/1/missing").put(subject, reason(subject))
    assert "left to the queue's redrive policy" in caplog.text


def test_the_back_off_doubles_up_to_its_cap_and_is_never_zero() -> None:
    random.seed(20_211_126)
    for count, longest in [
        (1, 1),
        (2, 2),
        (3, 4),
        (6, 32),
        (9, 256),
        (10, MAX_RETRY_SECONDS),
        (1000, MAX_RETRY_SECONDS),
    ]:
        delays = [retry_delay_seconds(count) for _ in range(200)]
        assert max(delays) <= longest
        assert min(delays) >= max(1, longest // 2)
    assert len({retry_delay_seconds(9) for _ in range(50)}) > 10
