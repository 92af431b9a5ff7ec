"""The records of a Kafka topic, as they come. Joins no group and commits nothing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops.actions.streams.records import TailedRecord
from ops.errors import OpsError, UsageError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

__all__ = ["tail_topic"]

_TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.5
_RECORDS = 500
_LOOK_BACK = 1_000


def tail_topic(
    settings: Mapping[str, Any], topic: str, since: datetime, *, follow: bool, stop: threading.Event
) -> Iterator[TailedRecord]:
    """Records that arrived at `since` or later, of a partition in order.

    Args:
        settings: of `ops.kafka.configuration`.
        topic: its name.
        since: beginning.
        follow: go on with what arrives; else end with what is there now.
        stop: end soon.

    Raises:
        OpsError: the brokers cannot be reached, refuse, or know no such topic.
    """
    from confluent_kafka import Consumer, KafkaError, KafkaException

    consumer = Consumer(
        {
            **settings,
            "group.id": f"eda-ops-{uuid.uuid4().hex}",  # the client insists on one; nothing is asked of it
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        going = _begin(consumer, topic, since)
        while not stop.is_set() and (follow or going):
            for message in consumer.consume(_RECORDS, timeout=_POLL_SECONDS):
                error = message.error()
                if error is None:
                    record = _record(message)
                    if record.arrived_at >= since:
                        yield record
                elif error.code() == KafkaError._PARTITION_EOF:
                    going.discard(message.partition() or 0)
                elif not error.retriable():
                    raise KafkaException(error)
    except KafkaException as error:
        raise OpsError(f"reading the topic {topic!r}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _begin(consumer: Consumer, topic: str, since: datetime) -> set[int]:
    """Read every partition from `since` on; the numbers of those with something to read."""
    from confluent_kafka import TopicPartition

    consumer.poll(0)  # which is when the token is fetched
    found = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic]
    if found.error is not None or not found.partitions:
        reason = found.error.str() if found.error is not None else "it has no partitions"
        raise UsageError(
            f"there is no topic {topic!r}: {reason}", "check the name; a pattern's topic is in its settings"
        )
    milliseconds = int(since.timestamp() * 1000)
    asked = [TopicPartition(topic, number, milliseconds) for number in sorted(found.partitions)]
    starts: list[TopicPartition] = []
    going: set[int] = set()
    for one in consumer.offsets_for_times(asked, timeout=_TIMEOUT_SECONDS):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, one.partition), timeout=_TIMEOUT_SECONDS)
        # "Nothing since then" is also what a broker says that cannot search by time (the local one): look at the last.
        start = one.offset if one.offset >= 0 else max(low, high - _LOOK_BACK)
        starts.append(TopicPartition(topic, one.partition, start))
        if start < high:
            going.add(one.partition)
    consumer.assign(starts)
    return going


def _record(message: Message) -> TailedRecord:
    headers = message.headers() or []
    return TailedRecord(
        shard=f"{message.topic()}/{message.partition()}",
        sequence_number=str(message.offset()),
        key=_bytes(message.key()),
        arrived_at=datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC),
        data=_bytes(message.value()) or b"",
        headers=tuple(
            (name, _bytes(value)) for name, value in (headers.items() if isinstance(headers, dict) else headers)
        ),
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
