"""Events that do not fit into a task's environment: put into S3, and referred to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["LargeEvents"]


class LargeEvents:
    """Thread-safe.

    Args:
        s3: with retries.
        place: ``s3://bucket/prefix``.
    """

    def __init__(self, s3: S3Client, place: str) -> None:
        self._s3 = s3
        self._place = place
        self._bucket, _, self._prefix = place.removeprefix("s3://").partition("/")

    def put(self, text: str) -> str:
        """Write an event's JSON and answer where it is; the same text always has the same place."""
        body = text.encode()
        name = f"{hashlib.sha256(body).hexdigest()}.json"
        self._s3.put_object(Bucket=self._bucket, Key=f"{self._prefix}{name}", Body=body, ContentType="application/json")
        return f"{self._place}{name}"
