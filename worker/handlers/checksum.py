"""Reads an object that was put into a bucket, and tells its checksum."""

from __future__ import annotations

import functools
import hashlib
import logging
from typing import TYPE_CHECKING, Any

from worker import Event, NonRetryableError
from worker.assembly import open_session

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["handle", "handle_batch"]

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1024 * 1024


@functools.cache
def _client() -> S3Client:
    client: S3Client = open_session().client("s3")
    return client


def handle(event: Event) -> dict[str, Any]:
    """The SHA-256 of one object (`Object Created`), read piece by piece: it may be larger than the task's memory.

    Raises:
        NonRetryableError: the object is gone.
    """
    return _checksum(str(event.data["bucket"]["name"]), str(event.data["object"]["key"]))


def handle_batch(event: Event) -> dict[str, Any]:
    """Of each object of an activity pool's batch.

    Raises:
        NonRetryableError: one is gone.
    """
    return {"objects": [_checksum(item["bucket"], item["key"]) for item in event.data["Items"]]}


def _checksum(bucket: str, key: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    size = 0
    try:
        body = _client().get_object(Bucket=bucket, Key=key)["Body"]
    except _client().exceptions.NoSuchKey as error:
        raise NonRetryableError(f"there is no object s3://{bucket}/{key} any more") from error
    for chunk in body.iter_chunks(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    logger.info("s3://%s/%s has %d bytes", bucket, key, size)
    return {"key": key, "bytes": size, "sha256": digest.hexdigest()}
