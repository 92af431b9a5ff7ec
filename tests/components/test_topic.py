from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from components.core.errors import InvalidArgsError, PolicyError
from components.encryption import EncryptionKey
from components.routers.subscriptions import (
    EmailSubscription,
    Filter,
    HttpRetry,
    HttpsSubscription,
    LambdaSubscription,
    QueueSubscription,
    SmsSubscription,
    Subscription,
)
from components.routers.targets import Existing
from components.routers.topic import Topic, TopicArgs
from components.stores.queue import Queue, QueueArgs
from contracts.filter_policy import FilterScope
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:news-0a1b2c3"


def topic_with(*subscriptions: Callable[[], Subscription], preview: bool = False, **args: Any) -> Recorder:
    def program() -> None:
        topic = Topic("news", TopicArgs(**args))
        for make in subscriptions:
            topic.subscribe(make())

    return record(program, preview=preview)


def subscription_of(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one("aws:sns/topicSubscription:TopicSubscription").inputs)


def test_a_topic_comes_with_its_policy_and_nothing_else():
    recorder = record(lambda: Topic("news"))
    assert recorder.children() == {"aws:sns/topic:Topic": 1, "aws:sns/topicPolicy:TopicPolicy": 1}
    assert recorder.one("aws:sns/topic:Topic").inputs == {}
    (deny,) = policy_of(recorder.one("TopicPolicy").inputs["policy"])
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_policy_that_sns_would_refuse_is_an_error():
    def program() -> None:
        topic = Topic("news")
        for number in range(500):
            topic.accept_from("events.amazonaws.com", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/bus/long-name-{number}")

    with pytest.raises(PolicyError, match=r"Topic 'news': .* SNS allows 100 and 30,720\. Connect fewer"):
        record(program)


def test_a_fifo_topic():
    topic = topic_with(fifo=True, content_based_deduplication=True, high_throughput=True, archive_days=30)
    assert topic.one("aws:sns/topic:Topic").inputs == {
        "archivePolicy": '{"MessageRetentionPeriod": "30"}',
        "contentBasedDeduplication": True,
        "fifoThroughputScope": "MessageGroup",
        "fifoTopic": True,
    }


def test_a_queue_gets_raw_messages_and_what_cannot_be_delivered_is_kept():
    recorder = topic_with(lambda: QueueSubscription(queue=Queue("kitchen")))
    undelivered = f"arn:aws:sqs:{REGION}:{ACCOUNT}:news-kitchen-undelivered-0a1b2c3"
    assert subscription_of(recorder) == {
        "endpoint": f"arn:aws:sqs:{REGION}:{ACCOUNT}:kitchen-0a1b2c3",
        "protocol": "sqs",
        "rawMessageDelivery": True,
        "redrivePolicy": json.dumps({"deadLetterTargetArn": undelivered}),
        "topic": TOPIC_ARN,
    }
    for policy in ("kitchen-policy", "news-kitchen-undelivered-policy"):
        _, allow = policy_of(recorder.one("aws:sqs/queuePolicy:QueuePolicy", policy).inputs["policy"])
        assert allow["Principal"] == {"Service": "sns.amazonaws.com"}
        assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": TOPIC_ARN}}


def test_a_queue_of_two_topics_has_one_policy_with_one_statement_for_both():
    def program() -> None:
        queue = Queue("kitchen")
        for name in ("news", "alerts"):
            Topic(name).subscribe(QueueSubscription(queue=queue))

    recorder = record(program)
    _, allow = policy_of(recorder.one("aws:sqs/queuePolicy:QueuePolicy", "kitchen-policy").inputs["policy"])
    assert len(allow["Condition"]["ArnEquals"]["aws:SourceArn"]) == 2


def test_a_fifo_topics_dead_letter_queue_is_fifo():
    recorder = topic_with(lambda: QueueSubscription(queue=Queue("kitchen", QueueArgs(fifo=True))), fifo=True)
    assert recorder.one("aws:sqs/queue:Queue", "news-kitchen-undelivered").inputs["fifoQueue"] is True


@pytest.mark.parametrize(
    ("scope", "policy"),
    [
        (FilterScope.BODY, {"detail": {"data": {"region": ["AU", {"prefix": "N"}]}}}),
        (FilterScope.ATTRIBUTES, {"kind": ["pizza"], "size": [{"numeric": [">", 30]}]}),
    ],
)
def test_a_filter(scope: FilterScope, policy: dict[str, Any]):
    recorder = topic_with(
        lambda: QueueSubscription(queue=Queue("kitchen"), filter=Filter(policy=policy, scope=scope), raw=False)
    )
    subscription = subscription_of(recorder)
    assert json.loads(subscription["filterPolicy"]) == policy
    assert subscription["filterPolicyScope"] == scope.value
    assert "rawMessageDelivery" not in subscription


@pytest.mark.parametrize(
    ("policy", "scope", "problem"),
    [
        ({}, FilterScope.BODY, "a filter policy is an object of at least one field"),
        ({"a": "b"}, FilterScope.BODY, "a: expected a list of values, got 'b'"),
        ({"a": [{"like": "b"}]}, FilterScope.BODY, "a[0]: unknown operator 'like'"),
        ({"a": {"b": ["c"]}}, FilterScope.ATTRIBUTES, "a: attributes have no fields of their own"),
        ({name: ["x"] for name in "abcdef"}, FilterScope.ATTRIBUTES, "the policy has 6 keys; SNS allows 5"),
        ({"a": {"b": {"c": list(range(51))}}}, FilterScope.BODY, "the policy has 153 combinations"),
        ({"a": [2_000_000_000]}, FilterScope.BODY, "2000000000 is outside -1e9 to 1e9"),
    ],
    ids=str,
)
def test_a_wrong_filter_is_refused(policy: dict[str, Any], scope: FilterScope, problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        Filter(policy=policy, scope=scope)
    assert problem in str(caught.value)


def test_combinations_of_attributes_do_not_count_their_depth():
    assert Filter(policy={"a": list(range(50)), "b": [1, 2, 3]}, scope=FilterScope.ATTRIBUTES)


def test_an_https_endpoint_has_a_delivery_policy():
    recorder = topic_with(
        lambda: HttpsSubscription(
            name="shop", url="https://shop.example/hook", retry=HttpRetry(retries=3, requests_per_second=10)
        )
    )
    subscription = subscription_of(recorder)
    assert (subscription["protocol"], subscription["endpoint"]) == ("https", "https://shop.example/hook")
    policy = json.loads(subscription["deliveryPolicy"])
    assert policy["healthyRetryPolicy"]["numRetries"] == 3
    assert policy["throttlePolicy"] == {"maxReceivesPerSecond": 10}
    assert recorder.names("aws:sqs/queue:Queue") == ["news-shop-undelivered"]


def test_people_are_told_by_email_and_sms():
    recorder = topic_with(
        lambda: EmailSubscription(address="oncall@example.com"), lambda: SmsSubscription(number="+61412345678")
    )
    found = {item.inputs["protocol"]: item for item in recorder.of_type("TopicSubscription")}
    assert found["email"].inputs["endpoint"] == "oncall@example.com"
    assert found["sms"].inputs["endpoint"] == "+61412345678"
    assert found["email"].name == "news-email-d876c66b"  # after the address, not its place in a list


def test_a_function_gains_a_permission_for_this_topic():
    recorder = topic_with(lambda: LambdaSubscription(function=Existing(name="track", arn="arn:function")))
    permission = recorder.one("aws:lambda/permission:Permission").inputs
    assert permission["principal"] == "sns.amazonaws.com"
    assert permission["sourceArn"] == TOPIC_ARN
    assert subscription_of(recorder)["protocol"] == "lambda"


@pytest.mark.parametrize(
    ("make", "fifo", "problem"),
    [
        (lambda: EmailSubscription(address="nobody"), False, "address is 'nobody'; allowed is one address"),
        (lambda: SmsSubscription(number="0412"), False, "number is '0412'; allowed is E.164"),
        (lambda: HttpsSubscription(name="a", url="http://a/"), False, "url is 'http://a/'; allowed is an https URL"),
        (
            lambda: HttpsSubscription(name="a", url="https://a/", retry=HttpRetry(retries=101)),
            False,
            "retries is 101; allowed is a whole number from 0 to 100",
        ),
        (
            lambda: HttpsSubscription(name="a", url="https://a/", retry=HttpRetry(minimum_delay_seconds=61)),
            False,
            "minimum_delay_seconds is more than maximum_delay_seconds",
        ),
        (
            lambda: QueueSubscription(queue=Queue("kitchen", QueueArgs(fifo=True))),
            False,
            "the queue is FIFO and the topic 'news' is not",
        ),
        (lambda: EmailSubscription(address="a@b.cd"), True, "a FIFO topic delivers to queues of SQS only"),
    ],
)
def test_a_wrong_subscription_is_refused(make: Callable[[], Subscription], fifo: bool, problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        topic_with(make, fifo=fifo)
    assert problem in str(caught.value)


def test_the_same_subscriber_twice_is_refused():
    with pytest.raises(InvalidArgsError, match="'email-[0-9a-f]{8}' is subscribed twice"):
        topic_with(*[lambda: EmailSubscription(address="a@b.cd")] * 2)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"archive_days": 366, "fifo": True}, "archive_days is 366; allowed is a whole number from 1 to 365 days"),
        ({"archive_days": 1}, "archive_days needs fifo=True: a standard topic keeps nothing"),
        ({"high_throughput": True}, "high_throughput needs fifo=True"),
        ({"content_based_deduplication": True}, "content_based_deduplication needs fifo=True"),
        ({"description": "x" * 101}, "description has 101 characters; SNS allows 100"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(args: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        topic_with(**args)
    assert str(caught.value).startswith(f"Topic 'news': {problem}")


@pytest.mark.parametrize("preview", [False, True])
def test_policies_pass_the_walk_and_a_preview_runs(preview: bool):
    def program() -> None:
        key = EncryptionKey("key")
        topic = Topic("news", TopicArgs(encryption_key=key))
        topic.subscribe(QueueSubscription(queue=Queue("kitchen", QueueArgs(encryption_key=key))))
        assert [action for item in topic.send() for action in item.actions] == [
            "sns:Publish",
            "kms:Decrypt",
            "kms:GenerateDataKey",
        ]

    recorder = record(program, preview=preview)
    assert recorder.one("aws:sns/topic:Topic").inputs.keys() == {"kmsMasterKeyId"}
    if not preview:
        assert walk_policies(recorder) == []
