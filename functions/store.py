"""The table of jobs, as the functions use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from contracts import job_table
from contracts.job_table import Job
from contracts.jobs import JobState, Progress, timestamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["JobStore"]


class JobStore:
    """Conditional writes only: whatever the order of the writers, the same record comes out.

    Args:
        client: with retries.
        table: its name.
        retention_days: how long an ended job is remembered.
    """

    def __init__(self, client: DynamoDBClient, table: str, retention_days: int) -> None:
        self._client = client
        self._table = table
        self._retention_days = retention_days

    def record(self, item: Mapping[str, Any]) -> bool:
        """Write a new job; False if there is one of its id."""
        return self._conditionally(
            self._client.put_item, Item=item, ConditionExpression=f"attribute_not_exists({job_table.JOB_ID})"
        )

    def get(self, job_id: str) -> Job | None:
        """The record as it is now."""
        answer = self._client.get_item(
            TableName=self._table, Key={job_table.JOB_ID: {"S": job_id}}, ConsistentRead=True
        )
        return job_table.job_from(answer["Item"]) if "Item" in answer else None

    def advance(self, job_id: str, progress: Progress) -> bool:
        """Write a report; False if a later one is there, or no such job is."""
        request = job_table.advance(job_id, progress, retention_days=self._retention_days)
        return self._conditionally(self._client.update_item, **request)

    def note_launch_failure(self, job_id: str, error: str) -> None:
        """Keep why RunTask started nothing."""
        self._conditionally(self._client.update_item, **job_table.note_launch_failure(job_id, error))

    def in_state(self, state: JobState, *, before: datetime) -> Iterator[Job]:
        """Jobs that were in this state a moment ago, created before that time, the oldest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=job_table.STATE_INDEX,
            KeyConditionExpression="#state = :state AND created_at < :before",
            ExpressionAttributeNames={"#state": job_table.STATE},
            ExpressionAttributeValues={":state": {"S": state.value}, ":before": {"S": timestamp(before)}},
        )
        for page in pages:
            yield from map(job_table.job_from, page["Items"])

    def _conditionally(self, operation: Any, **request: Any) -> bool:
        try:
            operation(TableName=self._table, **request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True
