"""Kafka topics: an idempotent producer, and every record confirmed by all in-sync replicas."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.actions.replay.destinations.base import TAKEN, Answer
from ops.faults import Fault

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

__all__ = ["KafkaTopic", "TopicRecord", "producer_settings"]

_DELIVERY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """What a topic gets."""

    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def producer_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Written once, to all in-sync replicas, or told that it was not."""
    return settings | {
        "enable.idempotence": True,
        "message.timeout.ms": int(_DELIVERY_SECONDS * 1000),
        "linger.ms": 5,
        "compression.type": "lz4",
        "message.max.bytes": 8_388_608,
    }


class KafkaTopic:
    """A topic.

    Args:
        producer: with `producer_settings`; shared by the topics of a cluster.
        topic: its name.
    """

    max_entries = 500
    max_bytes = 8_388_608
    remembers_seconds = 0.0

    def __init__(self, producer: Any, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self.name = f"topic {topic}"

    def size(self, payload: TopicRecord) -> int:
        headers = sum(len(name) + len(value or b"") for name, value in payload.headers)
        return len(payload.value) + len(payload.key or b"") + headers

    def send(self, items: Sequence[tuple[str, TopicRecord]]) -> Sequence[Answer | None]:
        """An answer is None when nobody knows whether the record was written."""
        answers: list[Answer | None] = [None] * len(items)
        waiting = set(range(len(items)))

        def report(number: int, problem: KafkaError | None) -> None:
            waiting.discard(number)
            answers[number] = TAKEN if problem is None else self._answer(problem)

        for number, (_, record) in enumerate(items):
            try:
                self._producer.produce(
                    self._topic,
                    key=record.key,
                    value=record.value,
                    headers=list(record.headers),
                    on_delivery=lambda problem, _message, number=number: report(number, problem),
                )
            except BufferError:
                waiting.discard(number)
                answers[number] = Answer(Fault.THROTTLED, f"{self.name}: the producer's queue is full")
        deadline = time.monotonic() + _DELIVERY_SECONDS + 1
        while waiting and time.monotonic() < deadline:
            self._producer.poll(0.05)
        return answers

    def _answer(self, problem: KafkaError) -> Answer | None:
        from confluent_kafka import KafkaError

        reason = f"{self.name} refused it: {problem.name()} {problem.str()}"
        match problem.code():
            case KafkaError._MSG_TIMED_OUT | KafkaError._TRANSPORT | KafkaError._ALL_BROKERS_DOWN:
                return None
            case KafkaError.TOPIC_AUTHORIZATION_FAILED | KafkaError.CLUSTER_AUTHORIZATION_FAILED:
                return Answer(Fault.DENIED, reason)
            case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_TOPIC:
                return Answer(Fault.MISSING, reason)
            case _:
                return Answer(Fault.TRANSIENT if problem.retriable() else Fault.INVALID, reason)
