"""Messages that a topic could not deliver go to the subscription that missed them, and to no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ops.actions.replay.targets import function, web_server
from tests.ops.local.server.helpers import wait_until
from tests.ops.scene import Scene


class Topic:
    """A topic whose subscriptions dead-letter into queues."""

    def __init__(self, scene: Scene, name: str = "orders") -> None:
        self.scene = scene
        self.sns: Any = scene.account.client("sns")
        self.arn: str = self.sns.create_topic(Name=name)["TopicArn"]

    def subscribe(self, protocol: str, endpoint: str, dlq: str | None = None, **attributes: str) -> str:
        if dlq is not None:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": self.scene.arn(dlq)})
        return str(
            self.sns.subscribe(
                TopicArn=self.arn,
                Protocol=protocol,
                Endpoint=endpoint,
                Attributes=attributes,
                ReturnSubscriptionArn=True,
            )["SubscriptionArn"]
        )

    def publish(self, count: int) -> None:
        for number in range(count):
            attribute = {"kind": {"DataType": "String", "StringValue": f"a{number}"}}
            self.sns.publish(TopicArn=self.arn, Message=json.dumps({"n": number}), MessageAttributes=attribute)


def _dead_letters(scene: Scene, topic: Topic) -> str:
    """A dead-letter queue that the topic may use."""
    dlq = scene.queue(f"{topic.arn.rsplit(':', 1)[-1]}-undelivered")
    scene.allow(dlq, [topic.arn], "sns.amazonaws.com")
    return dlq


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_queue_that_refused_gets_what_it_missed(scene: Scene, raw: str) -> None:
    topic = Topic(scene)
    dlq, refusing, other = _dead_letters(scene, topic), scene.queue("refusing"), scene.queue("other")
    scene.allow(other, [topic.arn], "sns.amazonaws.com")
    topic.subscribe("sqs", scene.arn(refusing), dlq, RawMessageDelivery=raw)
    topic.subscribe("sqs", scene.arn(other))
    topic.publish(12)
    assert (scene.counts(dlq)[0], scene.counts(refusing)[0], scene.counts(other)[0]) == (12, 0, 12)

    report = scene.replay(dlq)

    assert (report.moved, report.destinations) == (12, {"refusing": 12})
    assert scene.counts(other)[0] == 12
    messages = scene.drain(refusing)
    texts = [json.loads(message["Body"]) for message in messages]
    numbers = sorted(text["n"] if raw == "true" else json.loads(text["Message"])["n"] for text in texts)
    assert numbers == list(range(12))
    if raw == "true":
        assert {message["MessageAttributes"]["kind"]["StringValue"] for message in messages} == {
            f"a{n}" for n in range(12)
        }


def test_an_endpoint_gets_the_post_that_sns_would_send(scene: Scene) -> None:
    topic = Topic(scene)
    dlq = _dead_letters(scene, topic)
    with web_server(200) as api:
        topic.subscribe("http", f"http://user:pass@{api.url.removeprefix('http://')}/in", dlq)
        wait_until(lambda: api.requests, "SNS asks for the confirmation")
        envelope = {
            "Type": "Notification",
            "MessageId": "m1",
            "TopicArn": topic.arn,
            "Message": "hello",
            "UnsubscribeURL": "https://sns.example/?Action=Unsubscribe&SubscriptionArn=none",
        }
        scene.fill(dlq, [json.dumps(envelope)])

        report = scene.replay(dlq)

    assert (report.moved, list(report.destinations)) == (1, [f"{api.url}/in"])
    [(method, path, headers, body)] = api.requests[1:]
    assert (method, path, json.loads(body)) == ("POST", "/in", envelope)
    assert (headers["x-amz-sns-message-type"], headers["x-amz-sns-message-id"]) == ("Notification", "m1")
    assert headers["x-amz-sns-topic-arn"] == topic.arn
    assert headers["authorization"] == "Basic dXNlcjpwYXNz"


def test_a_function_gets_the_event_that_sns_would_send(scene: Scene) -> None:
    topic, seen = Topic(scene), scene.queue("seen")
    dlq = _dead_letters(scene, topic)
    subscription = topic.subscribe("lambda", function(scene, seen), dlq)
    envelope = {
        "Type": "Notification",
        "MessageId": "m1",
        "TopicArn": topic.arn,
        "Message": "hello",
        "Timestamp": "2026-11-27T00:00:00.000Z",
        "SigningCertURL": "https://sns.example/cert",
        "UnsubscribeURL": f"https://sns.example/?Action=Unsubscribe&SubscriptionArn={subscription}",
    }
    scene.fill(dlq, [json.dumps(envelope)])

    report = scene.replay(dlq)

    assert (report.moved, report.destinations) == (1, {"function f": 1})
    wait_until(lambda: scene.counts(seen)[0] == 1, "the invocation", 60)
    [record] = json.loads(scene.bodies(seen)[0])["Records"]
    assert (record["EventSource"], record["EventSubscriptionArn"]) == ("aws:sns", subscription)
    assert (record["Sns"]["Message"], record["Sns"]["SigningCertUrl"]) == ("hello", "https://sns.example/cert")


def test_several_subscriptions_of_one_queue_are_told_apart_by_the_envelope_only(scene: Scene) -> None:
    topic = Topic(scene)
    dlq, one, two = _dead_letters(scene, topic), scene.queue("one"), scene.queue("two")
    first = topic.subscribe("sqs", scene.arn(one), dlq)
    topic.subscribe("sqs", scene.arn(two), dlq)
    topic.publish(3)
    assert scene.counts(dlq)[0] == 6
    scene.fill(dlq, ["raw"])

    report = scene.replay(dlq)

    assert (report.moved, report.skipped) == (6, 1)
    assert report.destinations == {"one": 3, "two": 3}
    assert next(iter(report.reasons)).startswith(
        "it does not say to which of several subscriptions it belongs (sqs arn:"
    )
    bodies = [json.loads(body) for body in scene.bodies(one)]
    assert all(first in body["UnsubscribeURL"] for body in bodies)


def test_what_only_sns_can_send_stays(scene: Scene) -> None:
    topic = Topic(scene)
    dlq = _dead_letters(scene, topic)
    topic.subscribe("email", "ops@example.com", dlq)
    scene.fill(dlq, ["raw"])

    report = scene.replay(dlq)

    assert (report.moved, report.skipped) == (0, 1)
    [reason] = report.reasons
    assert reason.startswith("its subscriber is email ops@example.com: only SNS can send that")
