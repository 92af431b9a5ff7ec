from __future__ import annotations

import json

import pytest

from components.core.errors import InvalidArgsError, InvalidNameError, PolicyError, PolicyWrittenError
from components.core.resource_policy import QUEUE_POLICY, ResourcePolicyBuilder
from components.encryption import EncryptionKey
from components.stores.queue import Queue, QueueArgs, visibility_for
from tests.recorder import ACCOUNT, REGION, policy_of, record


def test_a_queue_comes_with_its_dead_letter_queue_and_nothing_else():
    recorder = record(lambda: Queue("orders"))
    assert recorder.children() == {
        "aws:sqs/queue:Queue": 2,
        "aws:sqs/queuePolicy:QueuePolicy": 2,
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": 1,
    }
    assert recorder.names("Queue") == ["orders", "orders", "orders-dlq"]  # the component and its two queues


def test_the_defaults_are_safe():
    recorder = record(lambda: Queue("orders"))
    queue = recorder.one("aws:sqs/queue:Queue", "orders").inputs
    assert queue == {
        "delaySeconds": 0,
        "maxMessageSize": 1_048_576,  # the provider's default is 256 KiB, and EventBridge delivers events of 1 MiB
        "messageRetentionSeconds": 4 * 86_400,
        "receiveWaitTimeSeconds": 20,
        "redrivePolicy": json.dumps(
            {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-dlq-0a1b2c3", "maxReceiveCount": 5}
        ),
        "sqsManagedSseEnabled": True,
        "visibilityTimeoutSeconds": 30,
    }
    dlq = recorder.one("aws:sqs/queue:Queue", "orders-dlq").inputs
    assert dlq["messageRetentionSeconds"] == 14 * 86_400
    assert dlq["maxMessageSize"] == queue["maxMessageSize"]
    allow = json.loads(recorder.one("RedriveAllowPolicy").inputs["redriveAllowPolicy"])
    assert allow == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders-0a1b2c3"],
    }


def test_a_fifo_queue_has_a_fifo_dead_letter_queue():
    recorder = record(
        lambda: Queue("orders", QueueArgs(fifo=True, high_throughput=True, content_based_deduplication=True))
    )
    queue = recorder.one("aws:sqs/queue:Queue", "orders").inputs
    assert queue["fifoQueue"] is True
    assert queue["contentBasedDeduplication"] is True
    assert queue["deduplicationScope"] == "messageGroup"
    assert queue["fifoThroughputLimit"] == "perMessageGroupId"
    assert "name" not in queue  # the provider's autonaming appends .fifo
    dlq = recorder.one("aws:sqs/queue:Queue", "orders-dlq").inputs
    assert dlq["fifoQueue"] is True
    assert "deduplicationScope" not in dlq


def test_every_policy_refuses_requests_without_tls():
    recorder = record(lambda: Queue("orders"))
    for policy in recorder.of_type("QueuePolicy"):
        (deny,) = policy_of(policy.inputs["policy"])
        assert deny["Effect"] == "Deny"
        assert deny["Principal"] == "*"
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert len(deny["Action"]) <= 7  # SQS's limit for a statement
        assert {"sqs:SendMessage", "sqs:ReceiveMessage"} <= set(deny["Action"])


def test_sources_of_one_service_share_a_statement_also_when_they_come_late():
    def program() -> None:
        queue = Queue("orders")
        queue.accept_from("events.amazonaws.com", "arn:rule-1")
        queue.accept_from("sns.amazonaws.com", "arn:topic")
        queue.accept_from("events.amazonaws.com", "arn:rule-2")

    recorder = record(program)
    policies = [item for item in recorder.of_type("QueuePolicy") if item.name == "orders-policy"]
    assert len(policies) == 1
    _, events, topic = policy_of(policies[0].inputs["policy"])
    assert events["Principal"] == {"Service": "events.amazonaws.com"}
    assert events["Action"] == ["sqs:SendMessage"]
    assert events["Condition"] == {"ArnEquals": {"aws:SourceArn": ["arn:rule-1", "arn:rule-2"]}}
    assert topic["Condition"] == {"ArnEquals": {"aws:SourceArn": "arn:topic"}}


def test_a_source_that_comes_after_the_policy_was_written_is_an_error():
    def program() -> None:
        builder = ResourcePolicyBuilder(QUEUE_POLICY, "arn:queue", "Queue 'orders'")
        document = builder.document()

        def late(_: str) -> None:
            with pytest.raises(PolicyWrittenError, match="before events.amazonaws.com registered"):
                builder.allow_service("events.amazonaws.com", "arn:rule")
            seen.append(True)

        document.apply(late)

    seen: list[bool] = []
    record(program)
    assert seen == [True]


def test_a_policy_that_sqs_would_refuse_is_an_error():
    def program() -> None:
        queue = Queue("orders")
        for number in range(200):
            queue.accept_from("sns.amazonaws.com", f"arn:aws:sns:{REGION}:{ACCOUNT}:topic-with-a-long-name-{number}")

    with pytest.raises(PolicyError, match="SQS allows 20 and 8,192"):
        record(program)


def test_a_customer_managed_key_replaces_sse_sqs_on_both_queues():
    recorder = record(lambda: Queue("orders", QueueArgs(encryption_key=EncryptionKey("key"))))
    for queue in recorder.of_type("aws:sqs/queue:Queue"):
        assert queue.inputs["kmsMasterKeyId"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/key-0a1b2c3"
        assert "sqsManagedSseEnabled" not in queue.inputs


def test_grants_name_exact_actions_and_the_key():
    granted: list[list[str]] = []

    def program() -> None:
        plain, encrypted = Queue("plain"), Queue("encrypted", QueueArgs(encryption_key=EncryptionKey("key")))
        granted.append([action for item in plain.consume() for action in item.actions])
        granted.append([action for item in plain.send() for action in item.actions])
        granted.append([action for item in encrypted.send() for action in item.actions])

    record(program)
    assert granted == [
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
        ["sqs:SendMessage"],
        ["sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"],
    ]


@pytest.mark.parametrize(("seconds", "expected"), [(0.1, 30), (5, 30), (5.1, 31), (60, 360), (7_200, 43_200)])
def test_the_visibility_timeout_follows_the_processing_time(seconds: float, expected: int):
    assert visibility_for(seconds) == expected


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (QueueArgs(max_receive_count=0), "max_receive_count is 0; allowed is a whole number from 1 to 1,000 receives"),
        (QueueArgs(retention_days=15), "retention_days is 15; allowed is a whole number from 1 to 14 days"),
        (QueueArgs(delay_seconds=-1), "delay_seconds is -1; allowed is a whole number from 0 to 900 seconds"),
        (QueueArgs(high_throughput=True), "high_throughput needs fifo=True: a standard queue has no such limit"),
        (
            QueueArgs(content_based_deduplication=True),
            "content_based_deduplication needs fifo=True: a standard queue does not deduplicate",
        ),
        (
            QueueArgs(visibility_timeout_seconds=10, processing_seconds=60),
            "visibility_timeout_seconds is 10, less than processing_seconds (60): every message would be received "
            "twice; leave it unset or raise it",
        ),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_registered(args: QueueArgs, problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: Queue("orders", args))
    assert str(caught.value) == f"Queue 'orders': {problem}"


def test_all_problems_are_reported_at_once():
    with pytest.raises(InvalidArgsError) as caught:
        record(lambda: Queue("orders", QueueArgs(max_receive_count=0, retention_days=0)))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "name", ["Orders", "1orders", "orders-", "or--ders", "", "a" * 49, "orders.fifo", "sg-orders", "internal-orders"]
)
def test_a_name_that_aws_would_refuse_is_refused(name: str):
    with pytest.raises(InvalidNameError):
        record(lambda: Queue(name))


@pytest.mark.parametrize("preview", [False, True])
def test_it_runs_with_unknown_outputs(preview: bool):
    recorder = record(lambda: Queue("orders", QueueArgs(fifo=True)), preview=preview)
    assert len(recorder.of_type("QueuePolicy")) == 2
