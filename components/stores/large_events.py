"""LargeEvents: where a dispatcher puts the events that do not fit into the environment of a task."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.core.base import Component
from components.core.iam import Statement
from components.encryption import EncryptionKey
from components.stores.bucket import Bucket, BucketArgs

__all__ = ["LargeEvents", "LargeEventsArgs"]

_PREFIX = "events/"
_EXPIRE_DAYS = 1
"""S3's least. An event is written again before each start of its task, which reads it at once."""


@dataclass(frozen=True, kw_only=True)
class LargeEventsArgs:
    """Arguments of `LargeEvents`.

    Attributes:
        encryption_key: customer-managed key; default None, which is SSE-S3 (free).
    """

    encryption_key: EncryptionKey | None = None


class LargeEvents(Component):
    """A private bucket of copies that expire after a day: the events themselves stay in their queue.

    Attributes:
        bucket: goes with the stack, whatever is in it.
        place: ``s3://bucket/prefix``.
    """

    def __init__(
        self, name: str, args: LargeEventsArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        args = args or LargeEventsArgs()
        self.bucket = Bucket(
            name,
            BucketArgs(force_destroy=True, events=False, expire_days=_EXPIRE_DAYS, encryption_key=args.encryption_key),
            self.child(),
        )
        self.place: pulumi.Output[str] = pulumi.Output.concat("s3://", self.bucket.bucket_name, "/", _PREFIX)
        self.publish({"place": self.place})

    def write(self) -> list[Statement]:
        """What the dispatcher needs."""
        return self.bucket.only("s3:PutObject", _PREFIX)

    def read(self) -> list[Statement]:
        """What the task needs."""
        return self.bucket.only("s3:GetObject", _PREFIX)
