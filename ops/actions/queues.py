"""Queues by URL and by ARN: parsing, looking up, reading their attributes."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ops.errors import UsageError, explain

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from ops.aws import Aws

__all__ = ["Queue", "QueueArn", "QueueDirectory", "name_of", "region_of"]

_HOST = re.compile(
    r"^(?:(?:sqs(?:-fips)?\.(?P<new>[a-z0-9-]+))|(?:(?P<legacy>[a-z0-9-]+)\.queue))\.amazonaws\.com(?:\.cn)?$"
)
_ARN = re.compile(
    r"^arn:(?P<partition>aws[a-z-]*):sqs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>[A-Za-z0-9_-]{1,80}(?:\.fifo)?)$"
)


def name_of(url: str) -> str:
    """The queue's name in a queue URL.

    Raises:
        UsageError: the text is no queue URL.
    """
    parts = urlsplit(url)
    name = parts.path.rstrip("/").rsplit("/", 1)[-1]
    if parts.scheme not in ("http", "https") or not name or parts.path.count("/") < 2:
        raise UsageError(
            f"{url!r} is not a queue URL", "it looks like https://sqs.<region>.amazonaws.com/<account>/<name>"
        )
    return name


def region_of(url: str) -> str | None:
    """The region in a queue URL of AWS; None for another endpoint."""
    match = _HOST.match(urlsplit(url).hostname or "")
    return (match["new"] or match["legacy"]) if match else None


@dataclass(frozen=True)
class QueueArn:
    """The parts of a queue's ARN."""

    region: str
    account: str
    name: str

    @classmethod
    def parse(cls, text: str | None) -> QueueArn | None:
        """None when the text is not the ARN of an SQS queue."""
        match = _ARN.match(text or "")
        return cls(match["region"], match["account"], match["name"]) if match else None


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue as it was when it was read.

    Attributes:
        url, arn, name: its identifiers.
        region: where its URL says it is; None when the session's region is meant.
        visible, in_flight, delayed: approximate numbers of messages, as SQS calls them.
        visibility_timeout_seconds: the queue's own.
        redrive_target_arn: the dead-letter queue of this queue, if it has one.
        max_receive_count: of its redrive policy; 0 without one.
        read_at_ms: SQS's clock when it answered, milliseconds since 1970, rounded up to the end of its second.
    """

    url: str
    arn: str
    name: str
    region: str | None = None
    visible: int = 0
    in_flight: int = 0
    delayed: int = 0
    visibility_timeout_seconds: int = 30
    redrive_target_arn: str | None = None
    max_receive_count: int = 0
    read_at_ms: int = 0

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")


@dataclass
class QueueDirectory:
    """Looks queues up, each once.

    Args:
        aws: makes the clients; a queue of another region gets that region's client.
    """

    aws: Aws
    _urls: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, url: str) -> SQSClient:
        """The client for a queue's region, with botocore's retries."""
        return self.aws.sqs(region_of(url))

    def read(self, url: str) -> Queue:
        """A queue's attributes, not cached.

        Raises:
            UsageError: the text is no queue URL.
            OpsError: SQS refused; a queue that does not exist is named.
        """
        name = name_of(url)
        try:
            answer = self.client(url).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except Exception as error:
            raise explain(error, f"queue {name}") from error
        attributes: dict[Any, Any] = {**answer.get("Attributes", {})}
        redrive = _json(attributes.get("RedrivePolicy"))
        return Queue(
            url=url,
            arn=attributes["QueueArn"],
            name=name,
            region=region_of(url),
            visible=int(attributes.get("ApproximateNumberOfMessages", 0)),
            in_flight=int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
            delayed=int(attributes.get("ApproximateNumberOfMessagesDelayed", 0)),
            visibility_timeout_seconds=int(attributes.get("VisibilityTimeout", 30)),
            redrive_target_arn=redrive.get("deadLetterTargetArn"),
            max_receive_count=int(redrive.get("maxReceiveCount", 0)),
            read_at_ms=_server_time_ms(answer),
        )

    def url_of(self, arn: QueueArn) -> str:
        """The URL of the queue with this ARN, in whatever region and account it is; cached.

        Raises:
            botocore's ClientError: the queue does not exist, or these credentials may not see it.
        """
        key = f"{arn.region}:{arn.account}:{arn.name}"
        with self._lock:
            known = self._urls.get(key)
        if known is None:
            answer = self.aws.sqs(arn.region).get_queue_url(QueueName=arn.name, QueueOwnerAWSAccountId=arn.account)
            known = answer["QueueUrl"]
            with self._lock:
                self._urls[key] = known
        return known

    def sources_of(self, url: str) -> list[str] | None:
        """URLs of the queues that name this queue as their dead-letter queue; None where SQS cannot say."""
        client = self.client(url)
        try:
            pages = client.get_paginator("list_dead_letter_source_queues").paginate(QueueUrl=url)
            return [source for page in pages for source in page.get("queueUrls", [])]
        except client.exceptions.ClientError as error:
            # An endpoint without this call, or credentials without this permission: the caller has other ways.
            if error.response["Error"]["Code"] in ("InvalidAction", "UnsupportedOperation", "AccessDenied"):
                return None
            raise


def _json(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _server_time_ms(answer: Any) -> int:
    """The end of the second that SQS's Date header names; 0 without one."""
    from email.utils import parsedate_to_datetime

    text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 1000 + 999 if text else 0
    except ValueError:
        return 0
