"""Reading one shard as a registered consumer: Kinesis pushes (SubscribeToShard, enhanced fan-out).

A subscription ends after five minutes and is opened again behind the last record. Kinesis sends an event at least every
few seconds, also without records, so a read never waits for long. Whoever reads slowly is held back by TCP.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, EventStreamError, ResponseStreamingError
from urllib3.exceptions import HTTPError

from worker.sources.stream.kinesis import error_code, shards_of, start_after
from worker.sources.stream.records import Batch, Record

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

__all__ = ["SubscribedReader"]

TAKE_OVER_SECONDS = 5.0
"""Until then, Kinesis refuses a second subscription of a consumer to a shard; after that it ends the first one."""

logger = logging.getLogger(__name__)


class SubscribedReader:
    """SubscribeToShard, again and again.

    Args:
        client: of Kinesis.
        consumer_arn, shard_id: who reads what.
        checkpoint: to begin behind.
        wait: waits so many seconds, or less when the shard is not wanted any more.
    """

    def __init__(
        self,
        client: KinesisClient,
        consumer_arn: str,
        shard_id: str,
        checkpoint: str,
        *,
        wait: Callable[[float], object],
    ) -> None:
        self._client = client
        self._consumer_arn = consumer_arn
        self._shard_id = shard_id
        self._position: dict[str, Any] = start_after(checkpoint)
        self._wait = wait
        self._stream: Any = None
        self._events: Iterator[Any] = iter(())

    def read(self, limit: int) -> Batch:
        """The next event; Kinesis decides how many records it has."""
        if self._stream is None and not self._subscribe():
            return Batch()
        try:
            event = next(self._events, None)
        except EventStreamError as error:
            self.close()
            if error.response["Error"]["Code"] == "ResourceInUseException":  # another one has subscribed since
                return Batch()
            raise
        except (HTTPError, OSError) as error:
            self.close()  # the connection: the next read subscribes again
            raise ResponseStreamingError(error=error) from error
        if event is None:
            self.close()
            return Batch()
        return self._batch(event["SubscribeToShardEvent"])

    def _subscribe(self) -> bool:
        try:
            answer = self._client.subscribe_to_shard(
                ConsumerARN=self._consumer_arn,
                ShardId=self._shard_id,
                StartingPosition=self._position,  # type: ignore[arg-type]  # made by start_after
            )
        except ClientError as error:
            if error_code(error) != "ResourceInUseException":
                raise
            # The subscription of the worker that held the shard before is not five seconds old.
            self._wait(TAKE_OVER_SECONDS / 5)
            return False
        self._stream = answer["EventStream"]
        self._events = iter(self._stream)
        return True

    def _batch(self, event: Any) -> Batch:
        records = [Record.from_kinesis(document) for document in event["Records"]]
        children = shards_of(event.get("ChildShards") or ())
        if continuation := event.get("ContinuationSequenceNumber"):
            self._position = start_after(continuation)
        ended = bool(children) or continuation is None
        if ended:
            self.close()
        return Batch(
            records=records, behind_seconds=event.get("MillisBehindLatest", 0) / 1000, ended=ended, children=children
        )

    def close(self) -> None:
        """End the subscription; Kinesis lets another worker subscribe."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._events = None, iter(())
