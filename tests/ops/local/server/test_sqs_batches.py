from __future__ import annotations

import botocore.exceptions
import pytest

from ops.local.server.sqs_batches import MAX_BATCH_BYTES, message_bytes
from tests.emulator import Account


def test_a_batch_keeps_attributes_and_the_trace_header(account: Account) -> None:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    entry = {
        "Id": "a",
        "MessageBody": "x",
        "MessageAttributes": {"n": {"DataType": "Number.int", "StringValue": "1"}},
        "MessageSystemAttributes": trace,
    }
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[entry])
    assert [item["Id"] for item in answer["Successful"]] == ["a"]
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"]
    assert message["Attributes"]["AWSTraceHeader"] == trace["AWSTraceHeader"]["StringValue"]
    assert message["MessageAttributes"]["n"]["DataType"] == "Number.int"


def test_attributes_count_towards_the_limit(account: Account) -> None:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    attribute = {"v": {"DataType": "String", "StringValue": "y" * 1000}}
    entries = [
        {"Id": str(n), "MessageBody": "x" * (MAX_BATCH_BYTES // 10), "MessageAttributes": attribute} for n in range(10)
    ]
    with pytest.raises(botocore.exceptions.ClientError, match="Batch requests cannot be longer than 1048576 bytes"):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert message_bytes(entries[0]) == MAX_BATCH_BYTES // 10 + 1 + 6 + 1000
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries[:9])["Successful"]) == 9


def test_one_bad_entry_fails_alone(account: Account) -> None:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    good = {"Id": "a", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[good, {"Id": "b", "MessageBody": "x"}])
    assert [item["Id"] for item in answer["Successful"]] == ["a"]
    assert [item["Id"] for item in answer["Failed"]] == ["b"]
