"""Which dead-letter queues a command means: those of a pattern, or one by its URL."""

from __future__ import annotations

from collections.abc import Callable

from contracts.manifest import BrokerRef, DeadLetterQueueRef, KafkaRef, PatternManifest
from ops.actions.queues import QueueDirectory
from ops.actions.replay.options import Source
from ops.errors import UsageError

__all__ = ["dead_letter_sources", "outside_sqs"]


def outside_sqs(
    read_pattern: Callable[[str], PatternManifest], name: str | None, dlq: str | None
) -> KafkaRef | BrokerRef | None:
    """The cluster or the broker whose dead letters are meant; None when a queue of SQS is.

    A pattern's dead-letter topic has the same records as its on-failure queue, so it is meant only where it is named.
    """
    if name is None:
        return None
    pattern = read_pattern(name)
    if pattern.kafka is not None and dlq is not None and pattern.kafka.dead_letter_topic == dlq:
        return pattern.kafka
    if pattern.broker is not None and dlq in (None, pattern.broker.dead_letter_queue):
        return pattern.broker
    return None


def dead_letter_sources(
    directory: QueueDirectory,
    read_pattern: Callable[[str], PatternManifest],
    name: str | None,
    dlq_url: str | None,
    dlq: str | None = None,
) -> list[Source]:
    """Read the queues that are meant.

    Args:
        directory: looks queues up.
        read_pattern: the manifest of a pattern.
        name: a pattern; exclusive with `dlq_url`.
        dlq_url: one queue.
        dlq: with `name`, only the pattern's dead-letter queue of this name.

    Raises:
        UsageError: neither or both were given, or the pattern has no such queue.
    """
    if (name is None) == (dlq_url is None):
        raise UsageError(
            "name a pattern of the stack, or a queue with --dlq-url: exactly one of the two",
            "`ops --stack dev peek-dlq orders`, or `ops peek-dlq --dlq-url URL`",
        )
    if dlq_url is not None:
        if dlq is not None:
            raise UsageError("--dlq chooses among a pattern's dead-letter queues; it does not go with --dlq-url")
        return [Source(directory.read(dlq_url))]
    assert name is not None
    pattern = read_pattern(name)
    references = pattern.dead_letter_queues
    if not references:
        raise UsageError(f"the pattern {name!r} has no dead-letter queue")
    if dlq is not None:
        references = tuple(reference for reference in references if reference.name == dlq)
        if not references:
            topic = pattern.kafka.dead_letter_topic if pattern.kafka else None
            names = ", ".join([reference.name for reference in pattern.dead_letter_queues] + ([topic] if topic else []))
            raise UsageError(f"the pattern {name!r} has no dead-letter queue {dlq!r}", f"it has: {names}")
    return [_source(directory, reference) for reference in references]


def _source(directory: QueueDirectory, reference: DeadLetterQueueRef) -> Source:
    return Source(directory.read(reference.url), reference.origin_arn)
