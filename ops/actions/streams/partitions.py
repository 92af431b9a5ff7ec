"""How far a consumer group of a Kafka topic is: its partitions, who holds them, and how many records wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from contracts.manifest import KafkaRef
from ops.actions.streams.metrics import latest_maximum
from ops.kafka import configuration

if TYPE_CHECKING:
    from confluent_kafka.admin._group import MemberDescription

    from ops.aws import Aws

__all__ = ["KafkaStatus", "PartitionStatus", "holders_of", "read_group"]

Read = Callable[[str, Callable[[], Any]], Any]
"""Of what is read, and how → the answer, or None when it failed, which is noted."""

_TIMEOUT_SECONDS = 10.0
_NO_BROKERS = (
    "the brokers answer in their own network only: the lag is CloudWatch's, and partitions and a dead-letter topic "
    "are shown where `ops` runs in that network"
)
_NO_MEMBERS = "the brokers do not say who holds which partition (the local ones cannot)"


@dataclass(frozen=True, kw_only=True)
class PartitionStatus:
    """One partition.

    Attributes:
        partition: its number.
        held_by: client id and address of the member; None when nobody holds it, or the brokers do not say.
        committed: the offset of the next record to handle; None before the group's first commit.
        end: the offset of the next record to be written.
        lag: records between the two.
    """

    partition: int
    held_by: str | None = None
    committed: int | None = None
    end: int | None = None
    lag: int | None = None


@dataclass(frozen=True, kw_only=True)
class KafkaStatus:
    """One consumer group.

    Attributes:
        topic, group: which.
        lag: records that are not committed, over all partitions: of the brokers, else CloudWatch's SumOffsetLag.
        behind_seconds: CloudWatch's EstimatedMaxTimeLag.
        state: of the group, e.g. STABLE; None when the brokers do not say.
        partitions: empty when the brokers could not be asked.
        workers: who holds partitions, and how many.
        notes: why something is not known although nothing failed.
    """

    topic: str
    group: str
    lag: int | None = None
    behind_seconds: float | None = None
    state: str | None = None
    partitions: list[PartitionStatus] = field(default_factory=list)
    workers: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_group(aws: Aws, kafka: KafkaRef, read: Read, *, near: bool) -> KafkaStatus:
    """Ask the brokers, if they are `near` (can be reached), and CloudWatch. Joins no group, and commits nothing."""
    metric = partial(_metric, aws, kafka)
    behind = read("the time of its lag", partial(metric, "EstimatedMaxTimeLag"))
    state, holders, notes = None, None, []
    partitions: list[PartitionStatus] | None = None
    if near:
        settings = configuration(aws, kafka.bootstrap_servers, kafka.topic_arn.split(":")[3])
        partitions = read("its partitions", partial(_partitions, settings, kafka))
        members = read("the members of its group", partial(_members, settings, kafka))
        if members is not None:
            state, holders = members
            notes += [_NO_MEMBERS] if holders is None else []
    else:
        notes.append(_NO_BROKERS)
    if partitions is None:
        found = read("its lag", partial(metric, "SumOffsetLag"))
        lag = None if found is None else int(found)
    else:
        waits = [one.lag for one in partitions if one.lag is not None]
        lag = sum(waits) if waits else None
    held = holders or {}
    workers: dict[str, int] = {}
    for name in held.values():
        workers[name] = workers.get(name, 0) + 1
    return KafkaStatus(
        topic=kafka.topic,
        group=kafka.group,
        lag=lag,
        behind_seconds=behind,
        state=state,
        partitions=[_with_holder(one, held) for one in partitions or ()],
        workers=workers,
        notes=notes,
    )


def holders_of(members: Iterable[MemberDescription], topic: str) -> dict[int, str]:
    """Partition → client id and address of the member that has it."""
    return {
        assigned.partition: f"{member.client_id} {member.host}".strip()
        for member in members
        for assigned in member.assignment.topic_partitions
        if assigned.topic == topic
    }


def _with_holder(one: PartitionStatus, held: Mapping[int, str]) -> PartitionStatus:
    return PartitionStatus(
        partition=one.partition,
        held_by=held.get(one.partition),
        committed=one.committed,
        end=one.end,
        lag=one.lag,
    )


def _partitions(settings: Mapping[str, Any], kafka: KafkaRef) -> list[PartitionStatus]:
    from confluent_kafka import Consumer, TopicPartition

    # It never subscribes, so it is no member.
    consumer = Consumer({**settings, "group.id": kafka.group, "enable.auto.commit": False})
    try:
        consumer.poll(0)  # which is when the token is fetched
        known = consumer.list_topics(kafka.topic, timeout=_TIMEOUT_SECONDS).topics[kafka.topic].partitions
        asked = [TopicPartition(kafka.topic, number) for number in sorted(known)]
        found = []
        for one in consumer.committed(asked, timeout=_TIMEOUT_SECONDS):
            low, end = consumer.get_watermark_offsets(
                TopicPartition(kafka.topic, one.partition), timeout=_TIMEOUT_SECONDS
            )
            committed = one.offset if one.offset >= 0 else None
            lag = None if committed is None else max(0, end - max(low, committed))
            found.append(PartitionStatus(partition=one.partition, committed=committed, end=end, lag=lag))
        return found
    finally:
        consumer.close()


def _members(settings: Mapping[str, Any], kafka: KafkaRef) -> tuple[str | None, dict[int, str] | None]:
    """State of the group, and who holds which partition; both None when the brokers cannot tell."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(dict(settings))
    if "oauth_cb" in settings:
        admin.poll(_TIMEOUT_SECONDS)  # which is when the token is fetched
    try:
        answer = admin.describe_consumer_groups([kafka.group], request_timeout=_TIMEOUT_SECONDS)
        found = answer[kafka.group].result(_TIMEOUT_SECONDS)
    except KafkaException as error:
        if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:
            return None, None
        raise
    return found.state.name, holders_of(found.members or (), kafka.topic)


def _metric(aws: Aws, kafka: KafkaRef, name: str) -> float | None:
    dimensions = {"Cluster Name": kafka.cluster, "Consumer Group": kafka.group, "Topic": kafka.topic}
    return latest_maximum(aws, "AWS/Kafka", name, dimensions)
