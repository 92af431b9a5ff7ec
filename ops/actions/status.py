"""Every pattern of a stack at a glance. A part that cannot be read is unknown, and the rest is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from contracts.manifest import PatternManifest, ScalingRef, ServiceRef
from ops.actions.executions import ExecutionCounts, execution_counts
from ops.actions.jobs.reading import count_jobs
from ops.actions.outside_letters import broker_letters, broker_messages, topic_letters
from ops.actions.queues import QueueDirectory
from ops.actions.streams.partitions import KafkaStatus, read_group
from ops.actions.streams.shards import StreamStatus, read_stream
from ops.errors import explain
from ops.kafka import reachable

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["PatternStatus", "ServiceCounts", "alarms_in_alarm", "oldest_age_seconds", "read_status", "service_counts"]

T = TypeVar("T")

_WORKERS = 16


@dataclass(frozen=True)
class ServiceCounts:
    """Tasks of a service."""

    desired: int
    running: int
    pending: int


@dataclass
class PatternStatus:
    """One pattern; None is unknown, or absent in this pattern.

    Attributes:
        name, pattern: as in the stack's settings.
        visible, in_flight, delayed: messages in its queue; of one on a broker the first only, with what is in hand.
        oldest_age_seconds: of its oldest message; None also while CloudWatch has no recent value.
        dead_letters: dead-letter queue or topic → messages, in flight included; None where they could not be read.
        running, desired, pending: tasks.
        min, max: bounds of autoscaling.
        alarms: names of alarms that are in ALARM.
        jobs: state → tracked jobs that the table has; a state without any is left out.
        stream, kafka: how far its consumers are, and who holds what.
        executions: of its state machine.
        problems: what could not be read, and why.
    """

    name: str
    pattern: str
    visible: int | None = None
    in_flight: int | None = None
    delayed: int | None = None
    oldest_age_seconds: float | None = None
    dead_letters: dict[str, int | None] = field(default_factory=dict)
    running: int | None = None
    desired: int | None = None
    pending: int | None = None
    min: int | None = None
    max: int | None = None
    alarms: list[str] | None = None
    jobs: dict[str, int] | None = None
    stream: StreamStatus | None = None
    kafka: KafkaStatus | None = None
    executions: ExecutionCounts | None = None
    problems: list[str] = field(default_factory=list)


def read_status(aws: Aws, directory: QueueDirectory, patterns: Iterable[PatternManifest]) -> list[PatternStatus]:
    """Read all patterns at the same time, in the given order."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(lambda pattern: _pattern(aws, directory, pattern), patterns))


def service_counts(aws: Aws, service: ServiceRef) -> ServiceCounts:
    """Desired, running and pending tasks.

    Raises:
        LookupError: the service does not exist.
    """
    answer = aws.ecs().describe_services(cluster=service.cluster, services=[service.name])
    found = [one for one in answer["services"] if one.get("status") != "INACTIVE"]
    if not found:
        raise LookupError(f"cluster {service.cluster} has no service {service.name}")
    return ServiceCounts(found[0]["desiredCount"], found[0]["runningCount"], found[0]["pendingCount"])


def oldest_age_seconds(aws: Aws, queue_name: str) -> float | None:
    """The latest ApproximateAgeOfOldestMessage of the last 10 minutes; None when CloudWatch has none."""
    now = datetime.now(UTC)
    points = aws.cloudwatch().get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": queue_name}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(points, key=lambda point: point["Timestamp"])["Maximum"] if points else None


def alarms_in_alarm(aws: Aws, names: Iterable[str]) -> list[str]:
    """Those of the named alarms that are in ALARM, sorted."""
    names = list(names)
    found: list[str] = []
    for start in range(0, len(names), 100):
        answer = aws.cloudwatch().describe_alarms(AlarmNames=names[start : start + 100], StateValue="ALARM")
        found += [alarm["AlarmName"] for alarm in answer.get("MetricAlarms", [])]
        found += [alarm["AlarmName"] for alarm in answer.get("CompositeAlarms", [])]
    return sorted(found)


def _pattern(aws: Aws, directory: QueueDirectory, pattern: PatternManifest) -> PatternStatus:
    status = PatternStatus(pattern.name, pattern.pattern)

    def read(doing: str, reader: Callable[[], T]) -> T | None:
        try:
            return reader()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are shown
            status.problems.append(f"{pattern.name}: {explain(error, doing).message}")
            return None

    if queue := pattern.queue:
        if counts := read("its queue", lambda: directory.read(queue.url)):
            status.visible, status.in_flight, status.delayed = counts.visible, counts.in_flight, counts.delayed
        status.oldest_age_seconds = read("the age of its oldest message", lambda: oldest_age_seconds(aws, queue.name))
    if pattern.stream:
        status.stream = read_stream(aws, pattern.stream, read)
    if pattern.jobs:
        status.jobs = read("its jobs", lambda: count_jobs(aws, pattern))
    near = pattern.kafka is not None and reachable(pattern.kafka.bootstrap_servers)
    if pattern.kafka:
        status.kafka = read_group(aws, pattern.kafka, read, near=near)
    if machine := pattern.state_machine:
        status.executions = read("its executions", lambda: execution_counts(aws, machine.arn))
    for reference in pattern.dead_letter_queues:
        dlq = read(f"its dead-letter queue {reference.name}", partial(directory.read, reference.url))
        status.dead_letters[reference.name] = dlq.visible + dlq.in_flight if dlq else None
    if broker := pattern.broker:
        status.visible = read(f"its queue {broker.queue}", partial(broker_messages, aws, broker))
        name = broker.dead_letter_queue
        status.dead_letters[name] = read(f"its dead-letter queue {name}", partial(broker_letters, aws, broker))
    if pattern.kafka and (topic := pattern.kafka.dead_letter_topic):
        count = partial(topic_letters, aws, pattern.kafka)
        # Out of reach is no failure: the note says so, and the on-failure queue has the same records.
        status.dead_letters[topic] = read(f"its dead-letter topic {topic}", count) if near else None
    service = pattern.service
    if service is not None and (tasks := read("its service", partial(service_counts, aws, service))):
        status.running, status.desired, status.pending = tasks.running, tasks.desired, tasks.pending
    if pattern.service and (scaling := pattern.scaling):
        status.min, status.max = _bounds(aws, pattern.service, scaling, read)
    if pattern.alarms:
        status.alarms = read("its alarms", lambda: alarms_in_alarm(aws, pattern.alarms))
    return status


def _bounds(
    aws: Aws,
    service: ServiceRef,
    scaling: ScalingRef,
    read: Callable[[str, Callable[[], tuple[int, int]]], tuple[int, int] | None],
) -> tuple[int | None, int | None]:
    """The bounds as they are now, since `ops scale` may have changed them; the manifest's when none are registered."""

    def registered() -> tuple[int, int]:
        targets = aws.autoscaling().describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[f"service/{service.cluster}/{service.name}"]
        )["ScalableTargets"]
        return (targets[0]["MinCapacity"], targets[0]["MaxCapacity"]) if targets else (scaling.min, scaling.max)

    return read("its scaling bounds", registered) or (None, None)
