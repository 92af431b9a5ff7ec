"""Gap: SNS filters as AWS does, asks the queue's policy, retries HTTP endpoints, and keeps what it cannot deliver.

MiniStack tries once and drops what fails; its filters miss absence, null and objects in lists. Client errors (a queue
that is gone or refuses, HTTP 4xx but 429) go to the subscription's dead-letter queue at once, server errors after the
retries of the delivery policy (SNS developer guide, "Message delivery retries").
"""

from __future__ import annotations

import json
import logging
import re
import time
import urllib.error
from dataclasses import dataclass
from typing import Any

from ministack.services import sns, sqs

from contracts import event_matching
from ops.local.server.background import log_once, start_thread
from ops.local.server.event_loop import run_on_loop
from ops.local.server.queue_permissions import send_refusal
from ops.local.server.scopes import Scope, current_scope, in_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "delays", "filter_matches", "install"]

SEAMS = (
    "services.sns._fanout",
    "services.sns._topic_by_arn_any_scope",
    "services.sns._resolve_message_for_protocol",
    "services.sns._build_envelope",
    "services.sns._deliver_to_sqs",
    "services.sns._deliver_to_lambda",
    "services.sns._http_post_sync",
    "services.sqs._queue_by_arn",
    "services.sqs._act_send_message",
)

SERVICE = "sns.amazonaws.com"
_DEFAULT_RETRIES = 3
_DEFAULT_DELAY_SECONDS = 20
_TOO_MANY_REQUESTS = 429
_UNSUBSCRIBE = re.compile(r'SubscriptionArn=[^"]*:example"')
"""MiniStack names no subscription in UnsubscribeURL; on AWS a subscriber finds its own there."""

logger = logging.getLogger("ops.local.server.sns")


@dataclass(frozen=True)
class _Message:
    """One message on its way to one subscription."""

    topic_arn: str
    id: str
    subscription: dict[str, Any]
    text: str
    envelope: str
    attributes: dict[str, Any]
    group: str
    deduplication_id: str

    @property
    def raw(self) -> bool:
        return bool(self.subscription.get("attributes", {}).get("RawMessageDelivery", "false") == "true")

    @property
    def body(self) -> str:
        return self.text if self.raw else self.envelope


class _UndeliverableError(Exception):
    """No retry can help."""


def filter_matches(subscription: dict[str, Any], attributes: dict[str, Any], text: str) -> bool:
    """Whether the subscription's filter policy lets the message through."""
    settings = subscription.get("attributes", {})
    if not settings.get("FilterPolicy"):
        return True
    policy = json.loads(settings["FilterPolicy"])
    if settings.get("FilterPolicyScope", "MessageAttributes") != "MessageBody":
        return event_matching.matches(policy, _values(attributes))
    try:
        body = json.loads(text)
    except ValueError:
        return False
    return isinstance(body, dict) and event_matching.matches(policy, body)


def _values(attributes: dict[str, Any]) -> dict[str, Any]:
    """Message attributes as filters see them: texts, numbers and lists; binary ones cannot be matched."""
    values: dict[str, Any] = {}
    for name, attribute in attributes.items():
        kind, text = attribute.get("DataType", "String"), attribute.get("StringValue", "")
        if kind.startswith(("String.Array", "Number")):
            try:
                values[name] = json.loads(text)
            except ValueError:
                values[name] = text
        elif kind.startswith("String"):
            values[name] = text
    return values


def delays(policy: dict[str, Any]) -> list[float]:
    """Seconds before each retry of an HTTP endpoint, from a DeliveryPolicy: growing from the least to the greatest."""
    healthy = policy.get("healthyRetryPolicy") or {}
    retries = int(healthy.get("numRetries", _DEFAULT_RETRIES))
    least = float(healthy.get("minDelayTarget", _DEFAULT_DELAY_SECONDS))
    greatest = float(healthy.get("maxDelayTarget", _DEFAULT_DELAY_SECONDS))
    immediate = int(healthy.get("numNoDelayRetries", 0))
    return [0.0 if retry < immediate else min(greatest, least * 2.0 ** (retry - immediate)) for retry in range(retries)]


class _Fanout:
    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    def __call__(
        self,
        topic_arn: str,
        msg_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        message_attributes: dict[str, Any] | None = None,
        message_group_id: str = "",
        message_dedup_id: str = "",
    ) -> None:
        topic = sns._topic_by_arn_any_scope(topic_arn)
        attributes = message_attributes or {}
        for subscription in topic["subscriptions"] if topic else ():
            text = sns._resolve_message_for_protocol(message, message_structure, subscription.get("protocol", ""))
            if not subscription.get("confirmed") or not filter_matches(subscription, attributes, text):
                continue
            envelope = sns._build_envelope(topic_arn, msg_id, text, subject, attributes, False)
            envelope = _UNSUBSCRIBE.sub(f'SubscriptionArn={subscription.get("arn", "")}"', envelope)
            self._send(
                _Message(
                    topic_arn, msg_id, subscription, text, envelope, attributes, message_group_id, message_dedup_id
                )
            )

    def _send(self, message: _Message) -> None:
        scope = current_scope()
        match message.subscription.get("protocol"):
            case "sqs":
                self._attempt(scope, message)
            case "http" | "https" | "lambda":
                start_thread(lambda: self._attempt(scope, message), name="sns-delivery")
            case protocol:
                logger.info("SNS: %s to %s is only noted", protocol, message.subscription.get("endpoint"))

    def _attempt(self, scope: Scope, message: _Message) -> None:
        with in_scope(scope), log_once("SNS delivery"):
            try:
                self._deliver(message)
            except _UndeliverableError as error:
                self._dead_letter(message, str(error))

    def _deliver(self, message: _Message) -> None:
        match message.subscription.get("protocol"):
            case "sqs":
                _to_queue(message)
            case "lambda":
                sns._deliver_to_lambda(
                    message.subscription["endpoint"],
                    message.envelope,
                    message.topic_arn,
                    message.subscription["arn"],
                    message.id,
                    message.text,
                    message.attributes,
                )
            case _:
                self._to_http(message)

    def _to_http(self, message: _Message) -> None:
        endpoint = message.subscription["endpoint"]
        policy = json.loads(message.subscription.get("attributes", {}).get("DeliveryPolicy") or "{}")
        problem = ""
        for delay in [0.0, *delays(policy)]:
            time.sleep(self._settings.real_seconds(delay))
            try:
                sns._http_post_sync(endpoint, message.body, "Notification")
                return
            except urllib.error.HTTPError as error:
                problem = f"HTTP {error.code}"
                if error.code < 500 and error.code != _TOO_MANY_REQUESTS:
                    break
            except OSError as error:
                problem = str(error)
        raise _UndeliverableError(f"{endpoint} answered {problem}")

    def _dead_letter(self, message: _Message, problem: str) -> None:
        redrive = json.loads(message.subscription.get("attributes", {}).get("RedrivePolicy") or "{}")
        queue = sqs._queue_by_arn(redrive.get("deadLetterTargetArn", ""))
        if queue is None or (refusal := _refusal(queue, message.topic_arn)):
            reason = "it has no dead-letter queue" if queue is None else refusal
            logger.warning("message of %s is lost (%s): %s", message.topic_arn, problem, reason)
            return
        request: dict[str, Any] = {"MessageBody": message.body}
        if message.raw and message.attributes:
            request["MessageAttributes"] = message.attributes
        if queue["is_fifo"]:
            request["MessageGroupId"] = message.group or message.id
            request["MessageDeduplicationId"] = message.deduplication_id or message.id
        url = queue["url"]
        run_on_loop(lambda: sqs._act_send_message(request, url))


def _to_queue(message: _Message) -> None:
    endpoint = message.subscription["endpoint"]
    queue = sqs._queue_by_arn(endpoint)
    if queue is None:
        raise _UndeliverableError(f"the queue {endpoint} does not exist")
    if refusal := _refusal(queue, message.topic_arn):
        raise _UndeliverableError(refusal)
    run_on_loop(
        lambda: sns._deliver_to_sqs(
            endpoint,
            message.envelope,
            message.raw,
            message.text,
            message_group_id=message.group,
            message_dedup_id=message.deduplication_id,
            message_attributes=message.attributes,
            topic_arn=message.topic_arn,
        )
    )


def _refusal(queue: dict[str, Any], topic_arn: str) -> str | None:
    account = topic_arn.split(":")[4]
    return send_refusal(queue, service=SERVICE, source_arn=topic_arn, source_account=account)


def install(settings: ServerSettings) -> None:
    """Deliver through this module."""
    sns._fanout = _Fanout(settings)
