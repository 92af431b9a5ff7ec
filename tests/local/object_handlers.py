"""The handler of the object-processing tests: reads the object, leaves one line per processed key."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from worker import Event, NonRetryableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["thumbnail"]


def thumbnail(event: Event) -> dict[str, Any]:
    """Append the key to ``EFFECTS``; ``fragile…`` fails the first time, ``poison…`` always."""
    key = event.data["object"]["key"]
    s3: S3Client = boto3.client("s3")
    content = s3.get_object(Bucket=event.data["bucket"]["name"], Key=key)["Body"].read()
    name = key.rpartition("/")[2]
    if name.startswith("poison"):
        raise NonRetryableError("not an image")
    effects = Path(os.environ["EFFECTS"])
    with effects.open("a+") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        ledger.seek(0)
        if name.startswith("fragile") and f"tried-{name}\n" not in ledger.read():
            ledger.write(f"tried-{name}\n")
            raise RuntimeError("the first try fails")
        ledger.write(f"{name}\n")
    return {"bytes": len(content)}
