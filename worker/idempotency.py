"""Each idempotency key is handled once: Powertools' idempotency utility on a DynamoDB table.

Powertools writes an INPROGRESS record before the handler runs, turns it into COMPLETED with the handler's result, and
removes it when the handler raises. In Lambda the record lapses when the function times out. A worker has no such end,
so here the record lapses when the message becomes visible to others, and the heartbeat extends both together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyItemAlreadyExistsError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS, DataRecord
from botocore.exceptions import BotoCoreError, ClientError

from contracts.events import Event
from worker.execution import Attempt, Result, Verdict
from worker.handler import Handler
from worker.logs import Field

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["IdempotentExecutor", "LeaseTable"]

logger = logging.getLogger(__name__)


@dataclass
class _Lease:
    """A record of ours.

    Attributes:
        end: in milliseconds, as the table has it; by it the owners are told apart.
        lock: held while `end` is changed: who removes the record meanwhile would take it for somebody else's.
    """

    end: int
    lock: threading.Lock = field(default_factory=threading.Lock)


class LeaseTable(DynamoDBPersistenceLayer):
    """Powertools' table with INPROGRESS records as leases: extended while work goes on, removed by their owner only.

    Powertools would delete the record of a worker that took over after ours had lapsed. The time at which a lease
    ends, in milliseconds, tells the owners apart.
    """

    def __init__(self, table_name: str, client: DynamoDBClient) -> None:
        super().__init__(table_name=table_name, boto3_client=client)
        self._leases: dict[str, _Lease] = {}

    def record_id(self, idempotency_key: str) -> str:
        """The value of the table's key ``id``: ``<pattern>#<sha256 of the key as JSON>``."""
        return f"{self.function_name}#{self._generate_hash(idempotency_key)}"

    def _put_record(self, data_record: DataRecord) -> None:
        super()._put_record(data_record)
        if data_record.in_progress_expiry_timestamp is not None:
            self._leases[data_record.idempotency_key] = _Lease(data_record.in_progress_expiry_timestamp)

    def _update_record(self, data_record: DataRecord) -> None:
        self._leases.pop(data_record.idempotency_key, None)
        super()._update_record(data_record)

    def _delete_record(self, data_record: DataRecord) -> None:
        self.release(data_record.idempotency_key)

    def extend(self, record_id: str, seconds: float) -> None:
        """Let the lease end `seconds` from now, if it is still ours.

        Raises:
            ClientError, BotoCoreError: the table cannot be reached.
        """
        lease = self._leases.get(record_id)
        if lease is None:
            return
        with lease.lock:
            new = int((time.time() + seconds) * 1000)
            set_end, values = "SET #end = :new", {":new": {"N": str(new)}}
            if self._if_ours(self.client.update_item, record_id, lease.end, set_end, values):
                lease.end = new

    def release(self, record_id: str) -> None:
        """Remove the record, if it is still ours, so that the key can be handled again at once.

        Raises:
            ClientError, BotoCoreError: the table cannot be reached.
        """
        lease = self._leases.pop(record_id, None)
        if lease is not None:
            with lease.lock:
                self._if_ours(self.client.delete_item, record_id, lease.end)

    def _if_ours(
        self,
        operation: Callable[..., object],
        record_id: str,
        end: int,
        update: str | None = None,
        values: dict[str, dict[str, str]] | None = None,
    ) -> bool:
        try:
            operation(
                TableName=self.table_name,
                Key=self._get_key(record_id),
                ConditionExpression="#status = :in_progress AND #end = :end",
                ExpressionAttributeNames={"#status": self.status_attr, "#end": self.in_progress_expiry_attr},
                ExpressionAttributeValues={
                    ":in_progress": {"S": STATUS_CONSTANTS["INPROGRESS"]},
                    ":end": {"N": str(end)},
                    **(values or {}),
                },
                **({"UpdateExpression": update} if update else {}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


class _Remaining:
    """The part of a Lambda context that Powertools reads to end an INPROGRESS record."""

    def __init__(self, remaining_seconds: Callable[[], float]) -> None:
        self._remaining_seconds = remaining_seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self._remaining_seconds() * 1000))


class IdempotentExecutor:
    """Handles each key once. Thread-safe.

    Args:
        handler: the user's function.
        table: where the keys are kept.
        prefix: tells the keys of patterns that share a table apart.
        expires_seconds: how long a handled key is remembered.
    """

    def __init__(self, handler: Handler, table: LeaseTable, *, prefix: str, expires_seconds: int) -> None:
        self._handler = handler
        self._table = table
        self._prefix = prefix
        self._expires_seconds = expires_seconds
        table.configure(self._config(), key_prefix=prefix)

    def _config(self, remaining_seconds: Callable[[], float] = lambda: 0.0) -> IdempotencyConfig:
        return IdempotencyConfig(
            expires_after_seconds=self._expires_seconds,
            hash_function="sha256",
            lambda_context=_Remaining(remaining_seconds),  # type: ignore[arg-type]  # the part that is read
        )

    def execute(self, event: Event, remaining_seconds: Callable[[], float]) -> Verdict:
        """Handle `event` unless its key was handled before, or is being handled."""
        attempt = Attempt(self._handler, event)

        def call(*, idempotency_key: str) -> object:
            return attempt()

        once = idempotent_function(
            call,
            data_keyword_argument="idempotency_key",
            persistence_store=self._table,
            config=self._config(remaining_seconds),
            key_prefix=self._prefix,
        )
        kept: object = None
        try:
            kept = once(idempotency_key=event.idempotency_key)
        except IdempotencyAlreadyInProgressError as error:
            if attempt.error is None:
                return Verdict(result=Result.BUSY, retry_after_seconds=_lease_left_seconds(error))
        except IdempotencyInconsistentStateError as error:
            # The record lapsed or vanished between Powertools' write and read, three times in a row.
            if attempt.error is None:
                return Verdict(result=Result.UNAVAILABLE, error=error)
        except IdempotencyPersistenceLayerError as error:
            if attempt.returned:
                # The effect has happened, so the message must not come back; only a later copy could repeat it.
                logger.error(
                    "the event was handled, but its key could not be recorded", extra={Field.REASON: str(error)}
                )
                return Verdict(result=Result.HANDLED, value=attempt.value)
            if attempt.error is None:
                return Verdict(result=Result.UNAVAILABLE, error=error)
            logger.warning("the key of a failed event stays taken until it lapses", extra={Field.REASON: str(error)})
        except Exception:
            if attempt.error is None:
                raise  # ours, not the handler's
        failure = attempt.failure()
        if failure is not None or attempt.returned:
            return failure or Verdict(result=Result.HANDLED, value=attempt.value)
        return Verdict(result=Result.DUPLICATE, value=kept if isinstance(kept, dict) else None)

    def extend(self, idempotency_key: str, seconds: float) -> None:
        """Keep the key while the message is invisible to others. A failure is logged; the next beat tries again."""
        try:
            self._table.extend(self._table.record_id(idempotency_key), seconds)
        except (ClientError, BotoCoreError) as error:
            logger.warning("cannot extend an idempotency record", extra={Field.REASON: str(error)})

    def abandon(self, idempotency_key: str) -> None:
        """Free the key of interrupted work, so that another worker need not wait for it to lapse."""
        try:
            self._table.release(self._table.record_id(idempotency_key))
        except (ClientError, BotoCoreError) as error:
            logger.warning("cannot release an idempotency record", extra={Field.REASON: str(error)})


def _lease_left_seconds(error: IdempotencyAlreadyInProgressError) -> float | None:
    """When the other worker's lease ends; Powertools raises the error while it handles the one that has the record."""
    exists = error.__context__
    if not isinstance(exists, IdempotencyItemAlreadyExistsError) or exists.old_data_record is None:
        return None
    end = exists.old_data_record.in_progress_expiry_timestamp
    return None if end is None else max(0.0, float(end) / 1000 - time.time())
