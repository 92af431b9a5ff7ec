"""Where records go that cannot be handled: the dead-letter topic, the on-failure queue, or both."""

from __future__ import annotations

import logging
import time
import weakref
from datetime import UTC, datetime

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contracts.messages import FAILURE, STREAM_POSITION, Failure, RecordBody, StreamPosition
from worker.logs import Field
from worker.sources.kafka.client import DELIVERY_SECONDS
from worker.sources.kafka.records import KafkaRecord
from worker.sources.stream.handling import Rejects
from worker.sources.stream.records import Record

__all__ = ["DeadLetterTopic", "DeadLetters", "headers_of"]

logger = logging.getLogger(__name__)


def headers_of(
    record: KafkaRecord,
    shard_id: str,
    topic_arn: str,
    error: Exception,
    *,
    attempts: int,
    retryable: bool,
    application: str = "",
) -> list[tuple[str, str | bytes | None]]:
    """The record's own headers, the reason (a `Failure` as JSON) and its origin (a `StreamPosition` as JSON)."""
    failure = Failure(
        error=type(error).__name__,
        message=str(error).encode(errors="replace").decode(),
        receive_count=attempts,
        retryable=retryable,
        queue_arn=topic_arn,
        failed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    position = StreamPosition(
        stream_arn=topic_arn,
        shard_id=shard_id,
        sequence_number=record.sequence_number,
        partition_key=record.partition_key,
        arrived_at=record.arrived_at.isoformat(timespec="milliseconds"),
        body=RecordBody.TEXT,
        application=application,
    )
    ours = (FAILURE, STREAM_POSITION)
    own: list[tuple[str, str | bytes | None]] = [header for header in record.headers if header[0] not in ours]
    return [*own, (FAILURE, failure.to_json().encode()), (STREAM_POSITION, position.to_json().encode())]


class DeadLetterTopic:
    """A topic of the same cluster: key, value and headers of the record, with the reason. Thread-safe.

    Args:
        producer: idempotent; its delivery reports end within `DELIVERY_SECONDS`.
        topic: its name.
        topic_arn: of the topic that the records come from.
        application: who cannot handle them; a replay is for it alone.
    """

    def __init__(self, producer: Producer, topic: str, topic_arn: str, application: str = "") -> None:
        self._producer = producer
        self._topic = topic
        self._topic_arn = topic_arn
        self._application = application

    def put(self, record: Record, shard_id: str, error: Exception, *, attempts: int, retryable: bool) -> bool:
        """Write it and wait until all in-sync replicas have it; False when they have not."""
        if not isinstance(record, KafkaRecord):
            raise TypeError(f"expected a record of Kafka, got {type(record).__name__}")
        reports: list[KafkaError | None] = []

        def report(problem: KafkaError | None, _message: Message[bytes, bytes]) -> None:
            reports.append(problem)

        headers = headers_of(
            record,
            shard_id,
            self._topic_arn,
            error,
            attempts=attempts,
            retryable=retryable,
            application=self._application,
        )
        try:
            self._producer.produce(self._topic, key=record.key, value=record.data, headers=headers, on_delivery=report)
            deadline = time.monotonic() + DELIVERY_SECONDS + 1
            while not reports and time.monotonic() < deadline:
                self._producer.poll(0.05)
        except (KafkaException, BufferError) as problem:
            return self._not_sent(str(problem))
        if not reports:
            return self._not_sent("no answer")
        return True if reports[0] is None else self._not_sent(reports[0].str())

    def _not_sent(self, reason: str) -> bool:
        logger.error(
            "cannot write a record to the dead-letter topic %s; trying again",
            self._topic,
            extra={Field.REASON: reason},
        )
        return False


class DeadLetters:
    """Several places, each of which gets the record; a retry asks only those that have not got it. Thread-safe."""

    def __init__(self, *places: Rejects) -> None:
        self._places = places
        self._done: weakref.WeakKeyDictionary[Record, int] = weakref.WeakKeyDictionary()

    def put(self, record: Record, shard_id: str, error: Exception, *, attempts: int, retryable: bool) -> bool:
        """Send it to every place; False when one could not take it."""
        for number in range(self._done.get(record, 0), len(self._places)):
            if not self._places[number].put(record, shard_id, error, attempts=attempts, retryable=retryable):
                return False
            self._done[record] = number + 1
        return True
