"""Messages that a topic could not deliver: they go to that one subscription's endpoint, as SNS would deliver them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ops.actions.queues import Queue, QueueArn, QueueDirectory
from ops.actions.replay.destinations.base import Delivery, Refusal
from ops.actions.replay.destinations.directory import Destinations
from ops.actions.replay.destinations.http_endpoint import HttpRequest
from ops.actions.replay.destinations.sqs import QueueMessage
from ops.actions.replay.messages import DeadLetter, carried_attributes
from ops.errors import explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["Subscription", "Subscriptions"]


@dataclass(frozen=True)
class Subscription:
    """A subscription whose dead letters are in the queue."""

    arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    raw: bool


class Subscriptions:
    """Finds whose dead-letter queue this is. Safe for many threads.

    A message delivered raw says nothing about its origin: then the topics are those that the queue's policy lets send.

    Args:
        aws: makes clients.
        directory: looks queues up.
        destinations: of the run.
        dlq: the dead-letter queue.
    """

    def __init__(self, aws: Aws, directory: QueueDirectory, destinations: Destinations, dlq: Queue) -> None:
        self._aws = aws
        self._directory = directory
        self._destinations = destinations
        self._dlq = dlq
        self._by_topic: dict[str, list[Subscription] | Refusal] = {}
        self._topics: list[str] | Refusal | None = None
        self._lock = threading.Lock()

    def resolve(self, message: DeadLetter) -> Delivery | Refusal | None:
        """Where SNS would deliver it, or why that cannot be repeated; None when no topic dead-letters here."""
        envelope = _envelope(message.body)
        with self._lock:
            found = self._subscriptions([envelope["TopicArn"]] if envelope else None)
        if isinstance(found, Refusal):
            return found
        if not found:
            return None
        if envelope and len(found) > 1:
            own = _subscription_in(envelope)
            found = [one for one in found if one.arn == own] or found
        if len(found) > 1:
            names = ", ".join(sorted(f"{one.protocol} {_shown(one.endpoint)}" for one in found))
            return Refusal(f"it does not say to which of several subscriptions it belongs ({names})")
        return self._delivery(message, found[0], envelope)

    def _delivery(self, message: DeadLetter, to: Subscription, envelope: dict[str, Any] | None) -> Delivery | Refusal:
        match to.protocol:
            case "sqs":
                return self._to_queue(message, to)
            case "lambda" if envelope is not None:
                return Delivery.to(self._destinations.function(to.endpoint), _lambda_event(envelope, to))
            case "http" | "https":
                return Delivery.to(self._destinations.http_endpoint(to.endpoint), _http_request(message, to, envelope))
            case protocol:
                return Refusal(f"its subscriber is {protocol} {_shown(to.endpoint)}: only SNS can send that")

    def _to_queue(self, message: DeadLetter, to: Subscription) -> Delivery | Refusal:
        arn = QueueArn.parse(to.endpoint)
        if arn is None:
            return Refusal(f"its subscriber {to.endpoint} is not a queue")
        try:
            queue = self._destinations.queue(self._directory.url_of(arn))
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, f"its subscriber {arn.name}").message, failed=True)
        attributes = carried_attributes(message.attributes, message.replays + 1, message.body)
        group = message.group or (message.id if queue.fifo else None)
        trace = message.system.get("AWSTraceHeader")
        return Delivery.to(queue, QueueMessage(message.body, attributes, group, trace))

    def _subscriptions(self, topics: list[str] | None) -> list[Subscription] | Refusal:
        """Those of these topics (None: of every topic that may send to the queue) that dead-letter into it."""
        if topics is None:
            if self._topics is None:
                self._topics = self._senders()
            if isinstance(self._topics, Refusal):
                return self._topics
            topics = self._topics
        found: list[Subscription] = []
        for topic in topics:
            if topic not in self._by_topic:
                self._by_topic[topic] = self._of_topic(topic)
            one = self._by_topic[topic]
            if isinstance(one, Refusal):
                return one
            found += one
        return found

    def _senders(self) -> list[str] | Refusal:
        """The topics that the queue's policy names: SNS cannot dead-letter without one."""
        try:
            answer = self._directory.client(self._dlq.url).get_queue_attributes(
                QueueUrl=self._dlq.url, AttributeNames=["Policy"]
            )
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, f"reading the policy of {self._dlq.name}").message, failed=True)
        try:
            policy = json.loads(answer.get("Attributes", {}).get("Policy") or "{}")
        except ValueError:
            policy = {}
        texts = _texts([one.get("Condition") for one in policy.get("Statement") or () if isinstance(one, dict)])
        return sorted({text for text in texts if text.startswith("arn:") and text.split(":")[2] == "sns"})

    def _of_topic(self, topic_arn: str) -> list[Subscription] | Refusal:
        try:
            sns = self._aws.client("sns", topic_arn.split(":")[3])
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
            found = []
            for entry in (entry for page in pages for entry in page["Subscriptions"]):
                if not entry["SubscriptionArn"].startswith("arn:"):
                    continue  # it waits for its confirmation
                attributes = sns.get_subscription_attributes(SubscriptionArn=entry["SubscriptionArn"])["Attributes"]
                if self._dlq.arn in _texts(json.loads(attributes.get("RedrivePolicy") or "{}")):
                    raw = attributes.get("RawMessageDelivery") == "true"
                    found.append(
                        Subscription(entry["SubscriptionArn"], topic_arn, entry["Protocol"], entry["Endpoint"], raw)
                    )
        except Exception as error:  # noqa: BLE001 - explained to the operator
            name = topic_arn.rsplit(":", 1)[-1]
            return Refusal(explain(error, f"reading the subscriptions of topic {name}").message, failed=True)
        return found


def _envelope(body: str) -> dict[str, Any] | None:
    """What SNS wraps around a message that is not delivered raw; None for any other body."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("Type") != "Notification":
        return None
    topic = document.get("TopicArn")
    return document if isinstance(topic, str) and topic.count(":") == 5 else None


def _subscription_in(envelope: dict[str, Any]) -> str:
    query = parse_qs(urlsplit(str(envelope.get("UnsubscribeURL", ""))).query)
    return query.get("SubscriptionArn", [""])[0]


def _lambda_event(envelope: dict[str, Any], to: Subscription) -> str:
    """The event of a function (Lambda developer guide, "Invoking Lambda functions with Amazon SNS notifications")."""
    renamed = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    message = {renamed.get(name, name): value for name, value in envelope.items()}
    message = {"Subject": None, "MessageAttributes": {}, **message}
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": to.arn, "Sns": message}
    return json.dumps({"Records": [record]}, ensure_ascii=False)


def _http_request(message: DeadLetter, to: Subscription, envelope: dict[str, Any] | None) -> HttpRequest:
    """The POST (SNS developer guide, "HTTP/HTTPS headers"); the id of a raw message is not known any more."""
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-topic-arn": to.topic_arn,
        "x-amz-sns-subscription-arn": to.arn,
    }
    if to.raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    elif envelope:
        headers["x-amz-sns-message-id"] = str(envelope.get("MessageId", ""))
    return HttpRequest(message.body, tuple(headers.items()))


def _shown(endpoint: str) -> str:
    """Without the password that a URL may have."""
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else endpoint


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
