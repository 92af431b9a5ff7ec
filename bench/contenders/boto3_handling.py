"""What the consumers that people write by hand do with each message, for those that use boto3."""

from __future__ import annotations

import json
import signal
import time
from types import FrameType
from typing import Any

import boto3

from bench.contenders.meter import Meter

__all__ = ["Handling", "Termination"]

_REMEMBERED_SECONDS = 3600


class Handling:
    """Handles one message after the other.

    Args:
        table: each key is claimed there before, and marked as completed after, the handler: the least that keeps a copy
            from being handled twice. None does neither.
    """

    def __init__(self, table: str | None) -> None:
        self._table = table
        self._dynamodb: Any = boto3.client("dynamodb") if table else None
        self._meter = Meter()

    def handle(self, text: str | bytes) -> None:
        """An event as JSON."""
        detail = json.loads(text)["detail"]
        if not self._dynamodb:
            self._meter.handled(detail["data"])
            return
        key = {"id": {"S": detail["metadata"]["idempotency-key"]}}
        expiration = {"N": str(int(time.time()) + _REMEMBERED_SECONDS)}
        self._dynamodb.put_item(
            TableName=self._table,
            Item={**key, "expiration": expiration},
            ConditionExpression="attribute_not_exists(id)",
        )
        self._meter.handled(detail["data"])
        self._dynamodb.update_item(
            TableName=self._table,
            Key=key,
            UpdateExpression="SET expiration = :expires",
            ExpressionAttributeValues={":expires": expiration},
        )


class Termination:
    """Listens for SIGTERM from now on.

    Attributes:
        asked: it came.
    """

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
