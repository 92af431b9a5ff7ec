"""Kinesis streams: PutRecords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.actions.replay.destinations.base import TAKEN, Answer
from ops.faults import classify_code

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

__all__ = ["KinesisStream", "StreamRecord"]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """What a stream gets."""

    data: bytes
    partition_key: str


class KinesisStream:
    """A stream. It recognises no record again: its consumers do, by the idempotency key.

    Args:
        client: for the stream's region, without retries of its own.
        arn: of the stream.
    """

    max_entries = 500
    max_bytes = 5_242_880
    """Kinesis API reference, PutRecords: 5 MiB with the partition keys (10 MiB where the stream allows larger ones)."""
    remembers_seconds = 0.0

    def __init__(self, client: KinesisClient, arn: str) -> None:
        self._client = client
        self._arn = arn
        self.name = f"stream {arn.rsplit('/', 1)[-1]}"

    def size(self, payload: StreamRecord) -> int:
        return len(payload.data) + len(payload.partition_key.encode())

    def send(self, items: Sequence[tuple[str, StreamRecord]]) -> Sequence[Answer | None]:
        records: list[Any] = [{"Data": record.data, "PartitionKey": record.partition_key} for _, record in items]
        response = self._client.put_records(StreamARN=self._arn, Records=records)
        answers: list[Answer | None] = []
        for entry in response["Records"]:
            code = entry.get("ErrorCode")
            reason = f"{self.name} refused it: {code} {entry.get('ErrorMessage', '')}".strip()
            # InternalFailure is the stream's, not the record's.
            answers.append(Answer(classify_code(code, 500), reason) if code else TAKEN)
        return answers
