"""Who gets a topic's messages: a class for each protocol, with a `bind()`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pulumi
import pulumi_aws as aws

from components.core.errors import InvalidArgsError
from components.core.validation import Check, Range, check
from components.routers.targets.base import Addressable
from components.stores.queue import Queue
from contracts import filter_policy
from contracts.filter_policy import FilterScope

if TYPE_CHECKING:
    from components.routers.topic import Topic

__all__ = [
    "TOPICS_SERVICE",
    "EmailSubscription",
    "Filter",
    "HttpRetry",
    "HttpsSubscription",
    "LambdaSubscription",
    "QueueSubscription",
    "SmsSubscription",
    "Subscription",
    "SubscriptionBinding",
]

TOPICS_SERVICE = "sns.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which messages a subscriber gets.

    Attributes:
        policy: field → list of values and operators, e.g. ``{"detail": {"data": {"region": ["AU"]}}}``.
        scope: of the whole message (default), which must be JSON, or of its attributes.
    """

    policy: Mapping[str, Any]
    scope: FilterScope = FilterScope.BODY

    def __post_init__(self) -> None:
        if found := filter_policy.problems(self.policy, self.scope):
            raise InvalidArgsError("Filter", found)


@dataclass(frozen=True, kw_only=True)
class HttpRetry:
    """How SNS retries an HTTPS endpoint that does not answer with a 2xx status (SNS, "Message delivery retries").

    Attributes:
        retries: 0 to 100; default 50. All phases together last at most an hour.
        minimum_delay_seconds, maximum_delay_seconds: 1 to 3,600; default 1 and 60, growing exponentially.
        requests_per_second: upper limit of deliveries; default None, no limit.
    """

    retries: int = 50
    minimum_delay_seconds: int = 1
    maximum_delay_seconds: int = 60
    requests_per_second: int | None = None

    def document(self) -> dict[str, Any]:
        """A delivery policy as SNS reads it."""
        policy: dict[str, Any] = {
            "healthyRetryPolicy": {
                "minDelayTarget": self.minimum_delay_seconds,
                "maxDelayTarget": self.maximum_delay_seconds,
                "numRetries": self.retries,
                "numNoDelayRetries": 0,
                "numMinDelayRetries": 0,
                "numMaxDelayRetries": 0,
                "backoffFunction": "exponential",
            }
        }
        if self.requests_per_second is not None:
            policy["throttlePolicy"] = {"maxReceivesPerSecond": self.requests_per_second}
        return policy


_RETRY_RULES = (
    Range("retries", 0, 100, "retries"),
    Range("minimum_delay_seconds", 1, 3_600, "seconds"),
    Range("maximum_delay_seconds", 1, 3_600, "seconds"),
    Range("requests_per_second", 1, 100_000, "requests"),
    Check(
        ("minimum_delay_seconds", "maximum_delay_seconds"),
        lambda retry: retry.minimum_delay_seconds > retry.maximum_delay_seconds,
        "minimum_delay_seconds is more than maximum_delay_seconds; swap them",
    ),
)


@dataclass(frozen=True, kw_only=True)
class SubscriptionBinding:
    """What a subscriber tells the topic.

    Attributes:
        protocol, endpoint: as SNS names them.
        raw: the message as published, without SNS's envelope.
        delivery_policy: retries of an HTTPS endpoint.
        depends_on: what must exist before the first message may come.
    """

    protocol: str
    endpoint: pulumi.Input[str]
    raw: bool | None = None
    delivery_policy: Mapping[str, Any] | None = None
    depends_on: Sequence[pulumi.Resource] = field(default=())


class Subscription(Protocol):
    """Something that gets a topic's messages."""

    @property
    def name(self) -> str:
        """Unique among a topic's subscriptions; part of the child's name, so a change replaces it."""
        ...

    @property
    def filter(self) -> Filter | None:
        """None lets everything through."""
        ...

    @property
    def for_fifo(self) -> bool:
        """Whether a FIFO topic can deliver here."""
        ...

    def bind(self, topic: Topic) -> SubscriptionBinding:
        """Give this topic access; say how to deliver."""
        ...


@dataclass(frozen=True, kw_only=True)
class QueueSubscription:
    """A queue. Its policy gains the topic's ARN.

    Attributes:
        queue: standard; or FIFO, on a FIFO topic only. (A FIFO topic delivers to standard queues, too, without order.)
        filter: default None, everything.
        raw: the message as published; default True: a worker reads events, not SNS's envelope around them.
    """

    queue: Queue
    filter: Filter | None = None
    raw: bool = True

    @property
    def name(self) -> str:
        return self.queue.name

    @property
    def for_fifo(self) -> bool:
        return True

    def bind(self, topic: Topic) -> SubscriptionBinding:
        if self.queue.fifo and not topic.fifo:
            raise InvalidArgsError(
                f"QueueSubscription of {self.queue.name!r}",
                [f"the queue is FIFO and the topic {topic.name!r} is not; SNS delivers to it from a FIFO topic only"],
            )
        self.queue.accept_from(TOPICS_SERVICE, topic.arn)
        return SubscriptionBinding(
            protocol="sqs", endpoint=self.queue.arn, raw=self.raw, depends_on=[self.queue.policy]
        )


@dataclass(frozen=True, kw_only=True)
class HttpsSubscription:
    """An HTTPS endpoint, which must confirm the subscription.

    Attributes:
        name: of the endpoint in the names of children.
        url: https.
        filter: default None, everything.
        raw: the message as published; default False: SNS's envelope carries the signature.
        retry: default fifty retries over most of an hour.
    """

    name: str
    url: pulumi.Input[str]
    filter: Filter | None = None
    raw: bool = False
    retry: HttpRetry = field(default_factory=HttpRetry)

    def __post_init__(self) -> None:
        check(f"HttpsSubscription {self.name!r}", self.retry, _RETRY_RULES)
        if isinstance(self.url, str) and not self.url.startswith("https://"):
            raise InvalidArgsError(
                f"HttpsSubscription {self.name!r}", [f"url is {self.url!r}; allowed is an https URL"]
            )

    @property
    def for_fifo(self) -> bool:
        return False

    def bind(self, topic: Topic) -> SubscriptionBinding:
        return SubscriptionBinding(
            protocol="https", endpoint=self.url, raw=self.raw, delivery_policy=self.retry.document()
        )


@dataclass(frozen=True, kw_only=True)
class EmailSubscription:
    """An address, whose owner must confirm.

    Attributes:
        address: e.g. ``oncall@example.com``.
        filter: default None, everything.
    """

    address: str
    filter: Filter | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", self.address):
            raise InvalidArgsError(
                "EmailSubscription", [f"address is {self.address!r}; allowed is one address, e.g. 'oncall@example.com'"]
            )

    @property
    def name(self) -> str:
        return f"email-{_digest(self.address)}"

    @property
    def for_fifo(self) -> bool:
        return False

    def bind(self, topic: Topic) -> SubscriptionBinding:
        return SubscriptionBinding(protocol="email", endpoint=self.address)


@dataclass(frozen=True, kw_only=True)
class SmsSubscription:
    """A telephone. The account's SMS sandbox and spending limit apply.

    Attributes:
        number: E.164, e.g. ``+61412345678``.
        filter: default None, everything.
    """

    number: str
    filter: Filter | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\+[1-9]\d{6,14}", self.number):
            raise InvalidArgsError(
                "SmsSubscription", [f"number is {self.number!r}; allowed is E.164, e.g. '+61412345678'"]
            )

    @property
    def name(self) -> str:
        return f"sms-{_digest(self.number)}"

    @property
    def for_fifo(self) -> bool:
        return False

    def bind(self, topic: Topic) -> SubscriptionBinding:
        return SubscriptionBinding(protocol="sms", endpoint=self.number)


@dataclass(frozen=True, kw_only=True)
class LambdaSubscription:
    """A function, invoked asynchronously. It gains a permission for this topic.

    Attributes:
        function: of this program, or `Existing`.
        filter: default None, everything.
    """

    function: Addressable
    filter: Filter | None = None

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def for_fifo(self) -> bool:
        return False

    def bind(self, topic: Topic) -> SubscriptionBinding:
        permission = aws.lambda_.Permission(
            f"{topic.name}-{self.name}-permission",
            action="lambda:InvokeFunction",
            function=self.function.arn,
            principal=TOPICS_SERVICE,
            source_arn=topic.arn,
            opts=topic.child(),
        )
        return SubscriptionBinding(protocol="lambda", endpoint=self.function.arn, depends_on=[permission])


def _digest(text: str) -> str:
    """Part of a name: taking one address off a list must not resubscribe, and re-ask, the others."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
