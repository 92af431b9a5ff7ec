"""SNS: filters, queue policies, retries, dead letters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ops.local.server.sns_delivery import delays, filter_matches
from tests.emulator import Account
from tests.ops.local.server.helpers import wait_until


def subscription(policy: dict[str, Any], scope: str = "MessageBody") -> dict[str, Any]:
    return {"attributes": {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope}}


@pytest.mark.parametrize(
    ("policy", "body", "passes"),
    [
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {"a": 1}, False),
        ({"a": [{"exists": False}]}, {"b": 1}, True),
        ({"a": [{"exists": False}]}, {}, True),
        ({"items": {"kind": ["pizza"]}}, {"items": [{"kind": "pasta"}, {"kind": "pizza"}]}, True),
        ({"items": {"kind": ["pizza"]}}, {"items": [{"kind": "pasta"}]}, False),
        ({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, True),
    ],
    ids=str,
)
def test_filters_of_the_body(policy: dict[str, Any], body: dict[str, Any], passes: bool) -> None:
    assert filter_matches(subscription(policy), {}, json.dumps(body)) is passes


@pytest.mark.parametrize("text", ["no json", "[1]"])
def test_a_body_that_is_no_object_passes_no_filter(text: str) -> None:
    assert not filter_matches(subscription({"a": [{"exists": False}]}), {}, text)
    assert filter_matches({"attributes": {}}, {}, text)


TEXT = {"DataType": "String", "StringValue": "AU"}
NUMBER = {"DataType": "Number", "StringValue": "31"}
ARRAY = {"DataType": "String.Array", "StringValue": '["x", 1, null]'}


@pytest.mark.parametrize(
    ("policy", "attributes", "passes"),
    [
        ({"a": [{"exists": False}]}, {}, True),
        ({"a": [{"exists": False}]}, {"a": TEXT}, False),
        ({"a": ["AU"]}, {"a": TEXT}, True),
        ({"a": [{"numeric": [">", 30]}]}, {"a": NUMBER}, True),
        ({"a": ["31"]}, {"a": NUMBER}, False),
        ({"a": ["x"]}, {"a": ARRAY}, True),
        ({"a": [None]}, {"a": ARRAY}, True),
        ({"a": [{"exists": True}]}, {"a": {"DataType": "Binary", "BinaryValue": "eA=="}}, False),
    ],
    ids=str,
)
def test_filters_of_the_attributes(policy: dict[str, Any], attributes: dict[str, Any], passes: bool) -> None:
    assert filter_matches(subscription(policy, "MessageAttributes"), attributes, "text") is passes


def test_delays_grow_from_the_least_to_the_greatest() -> None:
    policy = {"numRetries": 5, "minDelayTarget": 1, "maxDelayTarget": 4, "numNoDelayRetries": 1}
    assert delays({"healthyRetryPolicy": policy}) == [0, 1, 2, 4, 4]
    assert delays({}) == [20, 20, 20]


class Scene:
    """A topic, and queues whose policy admits it."""

    def __init__(self, account: Account, fifo: bool = False) -> None:
        self.fifo = fifo
        self.sns, self.sqs = account.client("sns"), account.client("sqs")
        attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        self.topic = self.sns.create_topic(Name="news.fifo" if fifo else "news", Attributes=attributes)["TopicArn"]

    def queue(self, name: str, *, admitted: bool = True) -> tuple[str, str]:
        """URL and ARN."""
        attributes = {"FifoQueue": "true"} if self.fifo else {}
        url = self.sqs.create_queue(QueueName=f"{name}.fifo" if self.fifo else name, Attributes=attributes)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if admitted:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}},
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    def subscribe(self, protocol: str, endpoint: str, dead_letters: str | None = None, **attributes: str) -> str:
        if dead_letters:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": dead_letters})
        return str(
            self.sns.subscribe(
                TopicArn=self.topic,
                Protocol=protocol,
                Endpoint=endpoint,
                Attributes=attributes,
                ReturnSubscriptionArn=True,
            )["SubscriptionArn"]
        )

    def received(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        """`count` messages, in the order in which they came."""
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                found.append(message)
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        wait_until(enough, f"{count} messages in {url}")
        return found


def test_what_the_queues_policy_refuses_is_dead_lettered_as_it_would_have_come(account: Account) -> None:
    scene = Scene(account)
    url, arn = scene.queue("closed", admitted=False)
    dead_url, dead_arn = scene.queue("dead")
    scene.subscribe("sqs", arn, dead_arn, RawMessageDelivery="true")
    scene.sns.publish(TopicArn=scene.topic, Message="hello", MessageAttributes={"region": TEXT})
    (message,) = scene.received(dead_url)
    assert message["Body"] == "hello"
    assert message["MessageAttributes"]["region"]["StringValue"] == "AU"
    assert "Messages" not in scene.sqs.receive_message(QueueUrl=url)


def test_a_queue_that_is_gone_is_a_dead_letter_with_its_envelope(account: Account) -> None:
    scene = Scene(account)
    url, arn = scene.queue("gone")
    dead_url, dead_arn = scene.queue("dead")
    scene.subscribe("sqs", arn, dead_arn)
    scene.sqs.delete_queue(QueueUrl=url)
    scene.sns.publish(TopicArn=scene.topic, Message="hello")
    (message,) = scene.received(dead_url)
    assert json.loads(message["Body"])["Message"] == "hello"


def test_a_fifo_topics_dead_letters_keep_their_group_and_order(account: Account) -> None:
    scene = Scene(account, fifo=True)
    _, arn = scene.queue("closed", admitted=False)
    dead_url, dead_arn = scene.queue("dead")
    scene.subscribe("sqs", arn, dead_arn, RawMessageDelivery="true")
    for number in range(5):
        scene.sns.publish(TopicArn=scene.topic, Message=str(number), MessageGroupId="g")
    messages = scene.received(dead_url, 5)
    assert [message["Body"] for message in messages] == list("01234")
    assert {message["Attributes"]["MessageGroupId"] for message in messages} == {"g"}


@dataclass
class Endpoint:
    """An HTTP server that answers notifications with these statuses, the last one for ever."""

    statuses: tuple[int, ...]
    url: str = ""
    bodies: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def take(self, kind: str | None, body: str) -> int:
        if kind != "Notification":
            self.tokens.append(json.loads(body)["Token"])
            return 200
        self.bodies.append(body)
        return self.statuses[min(len(self.bodies), len(self.statuses)) - 1]


@contextmanager
def http_endpoint(*statuses: int) -> Iterator[Endpoint]:
    endpoint = Endpoint(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(endpoint.take(self.headers["x-amz-sns-message-type"], body))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()


RETRIES = json.dumps({"healthyRetryPolicy": {"numRetries": 3, "minDelayTarget": 1, "maxDelayTarget": 2}})


@pytest.mark.parametrize(
    ("statuses", "attempts", "dead"),
    [((503, 503, 200), 3, 0), ((503,), 4, 1), ((429, 200), 2, 0), ((404,), 1, 1)],
    ids=["served by the third", "never served", "too many requests", "client error"],
)
def test_an_http_endpoint_is_retried_and_then_dead_lettered(
    account: Account, statuses: tuple[int, ...], attempts: int, dead: int
) -> None:
    scene = Scene(account)
    dead_url, dead_arn = scene.queue("dead")
    with http_endpoint(*statuses) as endpoint:
        scene.subscribe("http", endpoint.url, dead_arn, DeliveryPolicy=RETRIES, RawMessageDelivery="true")
        wait_until(lambda: endpoint.tokens, "the confirmation")
        scene.sns.confirm_subscription(TopicArn=scene.topic, Token=endpoint.tokens[0])
        scene.sns.publish(TopicArn=scene.topic, Message="hello")
        wait_until(lambda: len(endpoint.bodies) == attempts, f"{attempts} attempts")
        if dead:
            assert [message["Body"] for message in scene.received(dead_url)] == ["hello"]
        assert endpoint.bodies == ["hello"] * attempts
    counts = scene.sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
