"""The stream's shards, and reading one of them by polling."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from worker.backoff import spread
from worker.logs import Field
from worker.sources.stream.leases import TRIM_HORIZON, Shard
from worker.sources.stream.records import Batch, Record

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

__all__ = ["PollingReader", "Reader", "error_code", "list_shards", "retrying", "shards_of", "start_after"]

MIN_POLL_SECONDS = 0.2
"""Kinesis allows five reads a second of a shard, shared by all applications that poll it."""
IDLE_POLL_SECONDS = 1.0
PATIENT_READS = 10
"""Empty reads until the pauses between reads double, up to that. A shard whose last record came two seconds ago has its
next one soon; one that is idle for longer leaves its reads to others."""
MAX_PAUSE_SECONDS = 30.0

logger = logging.getLogger(__name__)


def error_code(error: ClientError | BotoCoreError) -> str:
    """AWS's error code, or the class of an error that never reached AWS."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def list_shards(client: KinesisClient, stream_arn: str) -> list[Shard]:
    """Every shard whose records are still kept, open and closed."""
    shards: list[Shard] = []
    arguments: dict[str, str] = {"StreamARN": stream_arn}
    while True:
        answer = client.list_shards(**arguments)  # type: ignore[arg-type]  # one of two texts, never the numbers
        shards += [
            Shard(
                id=entry["ShardId"],
                parents=tuple(entry[key] for key in ("ParentShardId", "AdjacentParentShardId") if entry.get(key)),
                open="EndingSequenceNumber" not in entry["SequenceNumberRange"],
            )
            for entry in answer["Shards"]
        ]
        if not (token := answer.get("NextToken")):
            return shards
        arguments = {"NextToken": token}


def shards_of(children: Iterable[Mapping[str, Any]]) -> list[Shard]:
    """ChildShards of an answer."""
    return [Shard(id=child["ShardId"], parents=tuple(child["ParentShards"])) for child in children]


def start_after(checkpoint: str) -> dict[str, Any]:
    """The StartingPosition that begins behind a checkpoint which is not SHARD_END."""
    if checkpoint == TRIM_HORIZON:
        return {"Type": TRIM_HORIZON}
    if checkpoint.startswith("AT_TIMESTAMP:"):
        moment = datetime.fromtimestamp(int(checkpoint.partition(":")[2]) / 1000, UTC)
        return {"Type": "AT_TIMESTAMP", "Timestamp": moment}
    return {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": checkpoint}


class Reader(Protocol):
    """Reads one shard from a checkpoint on."""

    def read(self, limit: int) -> Batch:
        """The next records, `limit` at most if it can choose; waits a little when there are none.

        Raises:
            ClientError, BotoCoreError: Kinesis refused, or cannot be reached; the next call goes on where this was.
        """
        ...

    def close(self) -> None:
        """Give up what is open; a read that waits returns soon."""


class PollingReader:
    """GetRecords, at most five times a second.

    Args:
        client: of Kinesis.
        stream_arn, shard_id: what to read.
        checkpoint: to begin behind.
        wait: waits so many seconds, or less when the shard is not wanted any more.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        client: KinesisClient,
        stream_arn: str,
        shard_id: str,
        checkpoint: str,
        *,
        wait: Callable[[float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._stream_arn = stream_arn
        self._shard_id = shard_id
        self._checkpoint = checkpoint
        self._wait = wait
        self._clock = clock
        self._iterator: str | None = None
        self._next_at = clock()
        self._empty_reads = 0

    def read(self, limit: int) -> Batch:
        self._wait(max(0.0, self._next_at - self._clock()))
        self._next_at = self._clock() + MIN_POLL_SECONDS
        if self._iterator is None:
            self._iterator = self._open()
        try:
            answer = self._client.get_records(ShardIterator=self._iterator, Limit=limit, StreamARN=self._stream_arn)
        except ClientError as error:
            if error_code(error) == "ExpiredIteratorException":  # five minutes without a read
                self._iterator = None
                return Batch()
            raise
        records = [Record.from_kinesis(document) for document in answer["Records"]]
        if records:
            self._checkpoint = records[-1].sequence_number
        behind_seconds = answer.get("MillisBehindLatest", 0) / 1000
        if records or behind_seconds:
            self._empty_reads = 0
        else:
            doublings = min(max(0, self._empty_reads - PATIENT_READS), 10)
            idle_seconds = min(MIN_POLL_SECONDS * 2**doublings, IDLE_POLL_SECONDS)
            self._next_at += idle_seconds - MIN_POLL_SECONDS
            self._empty_reads += 1
        self._iterator = answer.get("NextShardIterator")
        return Batch(
            records=records,
            behind_seconds=behind_seconds,
            ended=self._iterator is None,
            children=shards_of(answer.get("ChildShards", ())),
        )

    def _open(self) -> str:
        start = start_after(self._checkpoint)
        arguments: dict[str, Any] = {"ShardIteratorType": start.pop("Type")}
        if "SequenceNumber" in start:
            arguments["StartingSequenceNumber"] = start.pop("SequenceNumber")
        answer = self._client.get_shard_iterator(
            StreamARN=self._stream_arn, ShardId=self._shard_id, **arguments, **start
        )
        return answer["ShardIterator"]

    def close(self) -> None:
        """Nothing is open between two calls."""


def retrying(
    reader: Reader, shard_id: str, *, stopped: Callable[[], bool], wait: Callable[[float], object]
) -> Callable[[int], Batch]:
    """`reader.read`, repeated with back-off until it answers; a shard whose records have all expired has ended.

    Args:
        reader: of one shard.
        shard_id: of that shard.
        stopped: whether the shard is not wanted any more; an empty batch is the answer then.
        wait: as of `PollingReader`.
    """

    def read(limit: int) -> Batch:
        failures = 0
        while not stopped():
            try:
                batch = reader.read(limit)
            except (ClientError, BotoCoreError) as error:
                if error_code(error) == "ResourceNotFoundException" and shard_id in str(error):
                    logger.error("the shard has expired unread", extra={Field.REASON: str(error)})
                    return Batch(ended=True)
                failures += 1
                pause = spread(min(0.5 * 2 ** min(failures, 10), MAX_PAUSE_SECONDS))
                logger.error(
                    "cannot read; trying again",
                    extra={
                        Field.ERROR: error_code(error),
                        Field.REASON: str(error),
                        Field.DELAY_SECONDS: round(pause, 1),
                    },
                )
                wait(pause)
                continue
            if failures:
                logger.info("reading again after %d failures", failures)
            return batch
        return Batch()

    return read
