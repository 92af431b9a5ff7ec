"""What a task spends on a message, from what CloudWatch knows of the service and its queue.

While messages wait, every running task works: then tasks × 60 seconds / messages done in the minute is the time of one
task for one message, whatever its concurrency. Minutes in which the queue ran empty say nothing about that. Where there
is none but those, the messages in flight give an upper bound (Little's law: in flight = rate × time), since a task may
hold messages that it has not begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops.actions.scale.state import ScaledService
from ops.errors import OpsError, UsageError, explain

if TYPE_CHECKING:
    from ops.aws import Aws

__all__ = ["MEASURED_HOURS", "Measurement", "measure_processing"]

MEASURED_HOURS = 3
"""CloudWatch's own default span; older minutes may be of an older deployment."""
_LEAST_MINUTES = 3
_MINUTE_SECONDS = 60

_Points = Mapping[datetime, float]


@dataclass(frozen=True)
class Measurement:
    """What was found.

    Attributes:
        processing_seconds: of one task for one message.
        minutes, messages: that it rests on.
        upper_bound: the workers were never busy for long, so that the real value may be smaller.
    """

    processing_seconds: float
    minutes: int
    messages: int
    upper_bound: bool


def measure_processing(aws: Aws, service: ScaledService, now: datetime | None = None) -> Measurement:
    """Measure over the last `MEASURED_HOURS`.

    Raises:
        UsageError: the service has no queue that is known.
        OpsError: AWS refused, or nothing was processed.
    """
    if service.queue_url is None:
        raise UsageError(
            "--measure needs the queue that the service works off, and none is known",
            "name a pattern that has a queue, or give --processing",
        )
    queue = service.queue_url.rpartition("/")[2]
    end = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
    found = _read(aws, queue, service, end - timedelta(hours=MEASURED_HOURS), end)
    deleted, visible, in_flight, running = (found[key] for key in ("deleted", "visible", "in_flight", "running"))
    before = timedelta(minutes=1)
    busy = [
        at
        for at, messages in deleted.items()
        if messages > 0 and running.get(at, 0) > 0 and visible.get(at, 0) > 0 and visible.get(at - before, 0) > 0
    ]
    if len(busy) >= _LEAST_MINUTES:
        messages = sum(deleted[at] for at in busy)
        seconds = sum(running[at] for at in busy) * _MINUTE_SECONDS / messages
        return Measurement(round(seconds, 3), len(busy), round(messages), upper_bound=False)
    some = [at for at, messages in deleted.items() if messages > 0 and in_flight.get(at, 0) > 0]
    if len(some) < _LEAST_MINUTES:
        raise OpsError(
            f"--measure: in the last {MEASURED_HOURS} hours there were fewer than {_LEAST_MINUTES} minutes in which "
            f"{service.name} processed messages of {queue}, as far as CloudWatch knows",
            "try again when there is traffic, or give --processing",
        )
    messages = sum(deleted[at] for at in some)
    seconds = sum(in_flight[at] for at in some) * _MINUTE_SECONDS / messages
    return Measurement(round(seconds, 3), len(some), round(messages), upper_bound=True)


def _read(aws: Aws, queue: str, service: ScaledService, start: datetime, end: datetime) -> dict[str, _Points]:
    of_queue = [{"Name": "QueueName", "Value": queue}]
    of_service = [{"Name": "ClusterName", "Value": service.cluster}, {"Name": "ServiceName", "Value": service.name}]
    wanted: list[tuple[str, str, str, str, list[dict[str, str]]]] = [
        ("deleted", "AWS/SQS", "NumberOfMessagesDeleted", "Sum", of_queue),
        ("visible", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Minimum", of_queue),
        ("in_flight", "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Average", of_queue),
        # Each running task sends one CPU sample a minute: counting samples counts tasks.
        ("running", "AWS/ECS", "CPUUtilization", "SampleCount", of_service),
    ]
    queries: list[Any] = [
        {
            "Id": key,
            "MetricStat": {
                "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions},
                "Period": _MINUTE_SECONDS,
                "Stat": statistic,
            },
        }
        for key, namespace, name, statistic, dimensions in wanted
    ]
    found: dict[str, dict[datetime, float]] = {key: {} for key, *_ in wanted}
    try:
        pages = (
            aws.cloudwatch()
            .get_paginator("get_metric_data")
            .paginate(MetricDataQueries=queries, StartTime=start, EndTime=end)
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                found[result["Id"]].update(zip(result["Timestamps"], result["Values"], strict=True))
    except Exception as error:
        raise explain(error, f"measuring {service.name}") from error
    return dict(found)
