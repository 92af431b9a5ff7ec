"""Reads one record of a stream at its place: shard and sequence number, or partition and offset."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.messages import StreamPosition
from ops.actions.replay.destinations.base import Refusal
from ops.actions.replay.destinations.directory import Destinations
from ops.errors import explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["StoredRecord", "StoredRecords"]

_GONE = ("InvalidArgumentException", "ResourceNotFoundException")
_EMPTY_READS = 5
_POLL_SECONDS = 0.2
_KAFKA_SECONDS = 10.0


@dataclass(frozen=True)
class StoredRecord:
    """A record as the stream has it; key and headers are Kafka's."""

    data: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class StoredRecords:
    """Safe for many threads; Kafka is read by one at a time.

    Args:
        aws: makes clients.
        destinations: know how the brokers of a topic are reached.
    """

    def __init__(self, aws: Aws, destinations: Destinations) -> None:
        self._aws = aws
        self._destinations = destinations
        self._consumers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def read(self, position: StreamPosition) -> StoredRecord | Refusal | None:
        """The record; None when the stream has it no longer; a refusal when the stream cannot be read."""
        try:
            if ":kinesis:" in position.stream_arn:
                return self._from_kinesis(position)
            return self._from_kafka(position)
        except Exception as error:  # noqa: BLE001 - explained to the operator
            return Refusal(explain(error, f"reading {position.shard_id} again").message, failed=True)

    def _from_kinesis(self, position: StreamPosition) -> StoredRecord | None:
        kinesis: Any = self._aws.client("kinesis", position.stream_arn.split(":")[3])
        try:
            iterator = kinesis.get_shard_iterator(
                StreamARN=position.stream_arn,
                ShardId=position.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                StartingSequenceNumber=position.sequence_number,
            )["ShardIterator"]
        except kinesis.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        for _ in range(_EMPTY_READS):
            answer = kinesis.get_records(ShardIterator=iterator, Limit=1, StreamARN=position.stream_arn)
            for record in answer["Records"]:
                # A trimmed sequence number reads on at the oldest record that is left.
                found = record["SequenceNumber"] == position.sequence_number
                return StoredRecord(record["Data"]) if found else None
            if not (iterator := answer.get("NextShardIterator")):
                return None
            time.sleep(_POLL_SECONDS)
        return None

    def _from_kafka(self, position: StreamPosition) -> StoredRecord | Refusal | None:
        from confluent_kafka import KafkaError, KafkaException, TopicPartition

        settings = self._destinations.kafka_settings(position.stream_arn)
        if isinstance(settings, Refusal):
            return settings
        topic, partition = position.stream_arn.rsplit("/", 1)[-1], int(position.shard_id.rpartition("/")[2])
        offset = int(position.sequence_number)
        with self._lock:
            consumer = self._consumer(settings)
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_KAFKA_SECONDS)
            if not low <= offset < high:
                return None
            consumer.assign([TopicPartition(topic, partition, offset)])
            try:
                deadline = time.monotonic() + _KAFKA_SECONDS
                while time.monotonic() < deadline:
                    message = consumer.poll(_POLL_SECONDS)
                    if message is None:
                        continue
                    if (problem := message.error()) is not None:
                        if problem.code() == KafkaError._PARTITION_EOF:
                            return None
                        raise KafkaException(problem)
                    if message.offset() != offset:
                        return None  # compacted away
                    headers = tuple(message.headers() or ())
                    return StoredRecord(message.value() or b"", message.key(), headers)
            finally:
                consumer.unassign()
        return Refusal(f"{position.shard_id} did not answer within {_KAFKA_SECONDS:.0f} s", failed=True)

    def _consumer(self, settings: dict[str, Any]) -> Any:
        from confluent_kafka import Consumer

        servers = settings["bootstrap.servers"]
        if servers not in self._consumers:
            # It never subscribes and commits nothing, so it is no member of any group.
            own = {"group.id": "eda-ops-replay", "enable.auto.commit": False, "enable.partition.eof": True}
            consumer = Consumer({**settings, **own, "isolation.level": "read_committed"})
            consumer.poll(0)  # which is when the token is fetched
            self._consumers[servers] = consumer
        return self._consumers[servers]
