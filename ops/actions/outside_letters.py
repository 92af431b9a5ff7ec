"""How many messages are outside SQS: in a broker's queues, or as dead letters in a topic of Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.brokers import ENGINES, METRICS_NAMESPACE, BrokerEngine, depth_dimensions
from contracts.manifest import BrokerRef, KafkaRef
from ops.actions.streams.metrics import latest_maximum
from ops.errors import OpsError

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["broker_letters", "broker_messages", "topic_letters"]


def broker_letters(aws: Aws, broker: BrokerRef) -> int:
    """Messages of the dead-letter queue; see `_depth`."""
    return _depth(aws, broker, broker.dead_letter_queue, "its dead-letter queue")


def broker_messages(aws: Aws, broker: BrokerRef) -> int:
    """Messages of the worker's own queue: those that wait, and in CloudWatch's count those in hand; see `_depth`."""
    return _depth(aws, broker, broker.queue, "its queue")


def _depth(aws: Aws, broker: BrokerRef, queue: str, what: str) -> int:
    """CloudWatch's count, a minute or two old; where it has none, RabbitMQ is asked itself.

    CloudWatch first: it needs neither the broker's network nor its password.

    Raises:
        OpsError: neither of them knows.
    """
    engine = BrokerEngine(broker.engine.lower())
    metric = ENGINES[engine].depth_metric
    counts = [
        latest_maximum(aws, METRICS_NAMESPACE, metric, dimensions)
        for dimensions in depth_dimensions(engine, broker.name, len(broker.urls), queue)
    ]
    if known := [count for count in counts if count is not None]:
        return int(max(known))
    doing = f"{what} {queue}: CloudWatch has no count of the last ten minutes"
    if engine is not BrokerEngine.RABBITMQ:
        raise OpsError(doing, "the broker's web console shows the queue")
    from ops.actions.replay.rabbitmq import count_rabbitmq

    try:
        return count_rabbitmq(aws, broker, queue)
    except OpsError as error:
        raise OpsError(f"{doing}, and {error.message}", error.hint) from error


def topic_letters(aws: Aws, kafka: KafkaRef) -> int:
    """Records of the dead-letter topic that no replay has given back yet.

    Raises:
        OpsError: the brokers cannot be reached from here, or refuse.
    """
    from ops.actions.replay.dead_letter_topic import DeadLetterTopic

    with DeadLetterTopic.opened(aws, kafka) as topic:
        return topic.waiting
