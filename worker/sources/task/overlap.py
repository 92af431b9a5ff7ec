"""One task of a pattern at a time: a lock in the idempotency table that a killed task does not keep."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["Overlap", "RunLock"]

_KEPT_SECONDS = 86_400
"""When DynamoDB may remove the lock of a task that was killed."""


class Overlap(StrEnum):
    """What to do while another task of the pattern runs."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"


class RunLock:
    """Held by one task at a time. Whoever has not extended it for `lease_seconds` has lost it.

    Args:
        client, table_name: where; the table has the key ``id`` and the TTL attribute ``expiration``.
        name: of the lock.
        lease_seconds: how long the lock of a killed task stays.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        name: str,
        *,
        lease_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._key = {"id": {"S": f"{name}#running"}}
        self._owner = uuid.uuid4().hex
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._released = threading.Event()

    def take(self) -> bool:
        """Whether it is ours now.

        Raises:
            ClientError: the table cannot be asked.
        """
        now = self._clock()
        return self._conditionally(
            self._client.put_item,
            Item={
                **self._key,
                "owner": {"S": self._owner},
                "lease_end": {"N": str(int((now + self._lease_seconds) * 1000))},
                "expiration": {"N": str(int(now + _KEPT_SECONDS))},
            },
            ConditionExpression="attribute_not_exists(id) OR lease_end < :now",
            ExpressionAttributeValues={":now": {"N": str(int(now * 1000))}},
        )

    def keep(self) -> None:
        """Extend it until it is released."""
        while not self._released.wait(self._lease_seconds / 3):
            self._conditionally(
                self._client.update_item,
                Key=self._key,
                UpdateExpression="SET lease_end = :end",
                ConditionExpression="#owner = :me",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={
                    ":me": {"S": self._owner},
                    ":end": {"N": str(int((self._clock() + self._lease_seconds) * 1000))},
                },
            )

    def release(self) -> None:
        """Let the next one run."""
        self._released.set()
        self._conditionally(
            self._client.delete_item,
            Key=self._key,
            ConditionExpression="#owner = :me",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":me": {"S": self._owner}},
        )

    def _conditionally(self, operation: Callable[..., object], **request: object) -> bool:
        try:
            operation(TableName=self._table_name, **request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True
