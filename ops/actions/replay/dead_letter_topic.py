"""The dead-letter topic of a Kafka worker: what is in it goes back to its topic, and what went back is committed.

Nothing is deleted from a topic: the offsets that the group ``eda-ops-replay.<topic>`` has committed say how far replays
have come. A batch is written to the origin, confirmed by all in-sync replicas, and only then committed. Before it is
written, its size is committed as the metadata of the offset where it begins: a run that was killed in between is known
by that, and its batch may arrive twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.manifest import KafkaRef
from contracts.messages import FAILURE, STREAM_POSITION, Failure, StreamPosition
from ops.actions.replay.description import event_type_of
from ops.actions.replay.destinations.base import Refusal
from ops.actions.replay.destinations.kafka_topic import TopicRecord
from ops.actions.replay.records import marked
from ops.errors import OpsError
from ops.kafka import configuration, reachable

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["DeadLetterTopic", "TopicLetter"]

_TIMEOUT_SECONDS = 10.0
_SENDING = "eda-sending:"


@dataclass(frozen=True)
class TopicLetter:
    """A record of the dead-letter topic.

    Attributes:
        partition, offset: its place there.
        sent_ms: when it was written there, milliseconds since 1970.
        record: as it is there.
        failure, position: why it failed, and where it came from; None when it does not say.
    """

    partition: int
    offset: int
    sent_ms: int
    record: TopicRecord
    failure: Failure | None
    position: StreamPosition | None

    @property
    def event_type(self) -> str:
        return event_type_of(self.record.value.decode(errors="replace"))

    def replayed(self, application: str, max_replays: int) -> TopicRecord | Refusal:
        """What goes back: the record without our headers, marked for the application; or why it does not."""
        if self.position is None:
            return Refusal("it does not say where it came from")
        value = marked(self.record.value, self.position.application or application, max_replays)
        if isinstance(value, Refusal):
            return value
        kept = tuple(header for header in self.record.headers if header[0] not in (FAILURE, STREAM_POSITION))
        return TopicRecord(value, self.record.key, kept)


class DeadLetterTopic:
    """Reads the topic from where replays have come to; joins no group.

    Args:
        settings: of `ops.kafka.configuration`.
        topic: its name.
    """

    def __init__(self, settings: dict[str, Any], topic: str) -> None:
        from confluent_kafka import Consumer

        self.topic = topic
        own = {"group.id": f"eda-ops-replay.{topic}", "enable.auto.commit": False, "enable.partition.eof": False}
        self._consumer = Consumer({**settings, **own, "isolation.level": "read_committed"})
        self._consumer.poll(0)  # which is when the token is fetched
        self.ends: dict[int, int] = {}
        self.next: dict[int, int] = {}
        self.left_open = 0
        self._assigned = False
        self._find()

    @classmethod
    @contextmanager
    def opened(cls, aws: Aws, kafka: KafkaRef) -> Iterator[DeadLetterTopic]:
        """The dead-letter topic of a pattern.

        Raises:
            OpsError: its brokers cannot be reached from here, or refuse.
        """
        from confluent_kafka import KafkaException

        topic = kafka.dead_letter_topic or ""
        if not reachable(kafka.bootstrap_servers):
            raise OpsError(
                f"the brokers of {kafka.cluster} answer in their own network only", "run `ops` in that network"
            )
        try:
            found = cls(configuration(aws, kafka.bootstrap_servers, kafka.topic_arn.split(":")[3]), topic)
            try:
                yield found
            finally:
                found.close()
        except KafkaException as error:
            raise OpsError(f"the topic {topic}: {error.args[0].str()}") from error

    @property
    def waiting(self) -> int:
        """Records that were there at the start, and are not committed."""
        return sum(max(0, end - self.next[number]) for number, end in self.ends.items())

    def read(self, most: int, stop: threading.Event) -> list[TopicLetter]:
        """The next records, up to where the topic ended at the start; none when that is reached."""
        self._assign()
        letters: list[TopicLetter] = []
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while not letters and self.waiting and not stop.is_set():
            for message in self._consumer.consume(most, timeout=0.2):
                if (problem := message.error()) is not None:
                    if not problem.retriable():
                        raise OpsError(f"the topic {self.topic}: {problem.str()}")
                    continue
                letter = _letter(message)
                end = self.ends[letter.partition]
                if letter.offset < end:
                    letters.append(letter)
                else:  # what came later; offsets may have gaps, so that the last one below the end need not exist
                    self.next[letter.partition] = max(self.next[letter.partition], end)
            if not letters and time.monotonic() > deadline:
                raise OpsError(f"the topic {self.topic} did not answer within {_TIMEOUT_SECONDS:.0f} s")
        return letters

    def begin(self, letters: Sequence[TopicLetter]) -> None:
        """Say that these are about to be sent."""
        counts: dict[int, int] = {}
        for letter in letters:
            counts[letter.partition] = counts.get(letter.partition, 0) + 1
        self._commit({number: (self.next[number], f"{_SENDING}{count}") for number, count in counts.items()})

    def passed(self, letters: Sequence[TopicLetter]) -> None:
        """These have been read."""
        for letter in letters:
            self.next[letter.partition] = letter.offset + 1

    def done(self, letters: Sequence[TopicLetter]) -> None:
        """Commit behind these: they are where they belong."""
        self.passed(letters)
        self._commit({letter.partition: (self.next[letter.partition], "") for letter in letters})

    def close(self) -> None:
        self._consumer.close()

    def _find(self) -> None:
        from confluent_kafka import TopicPartition

        known = self._consumer.list_topics(self.topic, timeout=_TIMEOUT_SECONDS).topics[self.topic].partitions
        asked = [TopicPartition(self.topic, number) for number in sorted(known)]
        for one in self._consumer.committed(asked, timeout=_TIMEOUT_SECONDS):
            place = TopicPartition(self.topic, one.partition)
            low, end = self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT_SECONDS)
            start = max(low, one.offset) if one.offset >= 0 else low
            self.ends[one.partition], self.next[one.partition] = end, min(start, end)
            mark = str(one.metadata or "")
            if mark.startswith(_SENDING) and (count := mark.removeprefix(_SENDING)).isdecimal():
                self.left_open += min(int(count), end - start)

    def _assign(self) -> None:
        """At the first read: whoever only counts fetches no record."""
        if self._assigned:
            return
        from confluent_kafka import TopicPartition

        starts = self.next.items()
        self._consumer.assign(
            [TopicPartition(self.topic, number, start) for number, start in starts if start < self.ends[number]]
        )
        self._assigned = True

    def _commit(self, offsets: dict[int, tuple[int, str]]) -> None:
        from confluent_kafka import TopicPartition

        places = [TopicPartition(self.topic, number, offset, mark) for number, (offset, mark) in offsets.items()]
        self._consumer.commit(offsets=places, asynchronous=False)


def _letter(message: Any) -> TopicLetter:
    headers = tuple(message.headers() or ())
    texts = {name: (value or b"").decode(errors="replace") for name, value in headers}
    return TopicLetter(
        partition=message.partition(),
        offset=message.offset(),
        sent_ms=message.timestamp()[1],
        record=TopicRecord(message.value() or b"", message.key(), headers),
        failure=Failure.from_json(texts.get(FAILURE, "")),
        position=StreamPosition.from_json(texts.get(STREAM_POSITION, "")),
    )
