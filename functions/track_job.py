"""Track jobs: ECS's events of their tasks, from a queue, into the table.

An event that comes twice, late or out of order changes nothing that a later one has said (`contracts.jobs`). One that
cannot be written is given back alone, and after some receives it is in the dead-letter queue.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contracts.jobs import job_of, progress_of_task
from functions.settings import JobSettings
from functions.store import JobStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["handle", "track"]

logging.getLogger().setLevel(logging.INFO)
logger = logging.getLogger(__name__)


def handle(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Lambda's entry point for a batch of SQS messages; answers which of them failed."""
    settings, store = _tracker()
    failed = []
    for record in event["Records"]:
        try:
            track(json.loads(record["body"]), settings, store)
        except Exception:
            logger.exception("message %s cannot be tracked", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def track(event: Mapping[str, Any], settings: JobSettings, store: JobStore) -> bool:
    """Write what one event says; False if that was known, or the task is no job's.

    Raises:
        KeyError, ValueError: it is no event of a task.
        ClientError: the table cannot be written.
    """
    task = event["detail"]
    progress = progress_of_task(task, settings.container)
    job_id = job_of(settings.pattern, task)
    if job_id is None:
        logger.warning("task %s was not started for a job of %s", task["taskArn"], settings.pattern)
        return False
    return store.advance(job_id, progress)


@functools.cache
def _tracker() -> tuple[JobSettings, JobStore]:
    settings = JobSettings.read(os.environ)
    config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=3, read_timeout=6)
    dynamodb: DynamoDBClient = boto3.client("dynamodb", config=config)
    return settings, JobStore(dynamodb, settings.table, settings.retention_days)
