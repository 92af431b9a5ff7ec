"""Gap: the metrics that AWS publishes once per minute for queues and services.

``AWS/SQS`` by QueueName, and ``AWS/ECS`` CPUUtilization and MemoryUtilization by ClusterName and ServiceName, with one
sample per running task: the SampleCount is the number of running tasks, and a service at zero has no data point.
"""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psutil
from ministack.services import ecs, sqs

from ops.local.server import metric_store
from ops.local.server.background import log_once
from ops.local.server.event_loop import run_on_loop
from ops.local.server.metric_store import MetricName, publish
from ops.local.server.minute import MINUTE_SECONDS, each_minute
from ops.local.server.process_tasks import registry
from ops.local.server.scopes import in_scope, records
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (
    *metric_store.SEAMS,
    "services.sqs._HANDLERS",
    "services.sqs._queues",
    "services.sqs._get_q",
    "services.ecs._services",
    "services.ecs._tasks",
)

_traffic: Counter[tuple[str, str]] = Counter()
"""(queue ARN, metric name) -> messages since the last minute; touched on the event loop only."""


def _queue_values(queue: dict[str, Any], now: float) -> dict[str, tuple[float, str]]:
    """Metric name -> (value, unit) of one queue."""
    visible = not_visible = delayed = 0
    oldest = now
    for message in queue["messages"]:
        oldest = min(oldest, message.get("enqueued_at", message.get("sent_at", now)))
        if message["visible_at"] <= now:
            visible += 1
        elif message["receive_count"]:
            not_visible += 1
        else:
            delayed += 1
    queue_arn: str = queue["attributes"]["QueueArn"]
    values = {
        "ApproximateNumberOfMessagesVisible": (float(visible), "Count"),
        "ApproximateNumberOfMessagesNotVisible": (float(not_visible), "Count"),
        "ApproximateNumberOfMessagesDelayed": (float(delayed), "Count"),
        "ApproximateAgeOfOldestMessage": (now - oldest, "Seconds"),
    }
    for name in _COUNTED.values():
        values[name] = (float(_traffic.pop((queue_arn, name), 0)), "Count")
    return values


_COUNTED = {
    "SendMessage": "NumberOfMessagesSent",
    "ReceiveMessage": "NumberOfMessagesReceived",
    "DeleteMessage": "NumberOfMessagesDeleted",
}


def _counted(handle: Callable[[dict[str, Any], str], Any], metric_name: str, count: Callable[[Any], int]) -> Any:
    """Count the messages that an SQS action has handled."""

    def note(data: dict[str, Any], url: str, result: Any) -> Any:
        queue = sqs._get_q(data.get("QueueUrl", url))
        _traffic[queue["attributes"]["QueueArn"], metric_name] += count(result)
        return result

    if inspect.iscoroutinefunction(handle):

        async def counted_later(data: dict[str, Any], url: str) -> Any:
            return note(data, url, await handle(data, url))

        return counted_later

    def counted(data: dict[str, Any], url: str) -> Any:
        return note(data, url, handle(data, url))

    return counted


def _publish_queues(at: float) -> None:
    now = time.time()
    for scope, _url, queue in records(sqs._queues):
        with in_scope(scope):
            dimensions = (("QueueName", str(queue["name"])),)
            for name, (value, unit) in _queue_values(queue, now).items():
                publish(MetricName("AWS/SQS", name, dimensions), at, value, unit=unit)


def _running_tasks() -> Iterator[tuple[Any, tuple[tuple[str, str], ...], dict[str, Any]]]:
    for scope, _arn, task in records(ecs._tasks):
        group: str = task.get("group") or ""
        if task.get("lastStatus") == "RUNNING" and group.startswith("service:"):
            cluster = str(task["clusterArn"]).rsplit("/", 1)[-1]
            yield scope, (("ClusterName", cluster), ("ServiceName", group.removeprefix("service:"))), task


class _TaskUsage:
    """CPU and memory of tasks, measured on their processes."""

    def __init__(self) -> None:
        self._processes: dict[int, psutil.Process] = {}

    def measure(self, task: dict[str, Any]) -> tuple[float, float]:
        """Percent of the task's vCPUs and of its memory, 0 and up; 0 for a process that is not there any more."""
        cpu = memory = 0.0
        for container in registry().of_task(task["taskArn"]):
            try:
                process = self._processes.setdefault(container.pid, psutil.Process(container.pid))
                cpu += process.cpu_percent(None)
                memory += process.memory_info().rss
            except psutil.Error:
                self._processes.pop(container.pid, None)
        vcpus = float(task.get("cpu") or 256) / 1024
        mebibytes = float(task.get("memory") or 512)
        return cpu / vcpus, 100 * memory / (mebibytes * 1024 * 1024)

    def forget_ended(self, running: set[int]) -> None:
        """Drop the handles of processes that have ended."""
        for pid in set(self._processes) - running:
            del self._processes[pid]


def install(settings: ServerSettings) -> None:
    """Publish metrics at the end of each emulated minute."""
    usage = _TaskUsage()
    minute_seconds = settings.real_seconds(MINUTE_SECONDS)

    def publish_minute(boundary: float) -> None:
        at = boundary - minute_seconds / 2  # inside the minute that has just ended
        samples = []
        for scope, dimensions, task in _running_tasks():
            with log_once("usage of a task"):
                samples.append((scope, dimensions, usage.measure(task)))
        usage.forget_ended({container.pid for container in registry().all()})

        def write() -> None:
            _publish_queues(at)
            for scope, dimensions, (cpu, memory) in samples:
                with in_scope(scope):
                    publish(MetricName("AWS/ECS", "CPUUtilization", dimensions), at, cpu, unit="Percent")
                    publish(MetricName("AWS/ECS", "MemoryUtilization", dimensions), at, memory, unit="Percent")

        run_on_loop(write)

    handlers = sqs._HANDLERS
    for action, name in _COUNTED.items():
        if action == "ReceiveMessage":
            handlers[action] = _counted(handlers[action], name, lambda result: len(result.get("Messages", ())))
            continue
        handlers[action] = _counted(handlers[action], name, lambda _result: 1)
        batch = f"{action}Batch"
        handlers[batch] = _counted(handlers[batch], name, lambda result: len(result.get("Successful", ())))
    each_minute("metrics", publish_minute)
