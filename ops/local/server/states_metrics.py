"""Gap: the metrics that Step Functions publishes once per minute, of activities and of executions.

``AWS/States`` by ActivityArn: ActivitiesScheduled, …Started, …Succeeded, …Failed, …TimedOut (missed heartbeats
included). By StateMachineArn: ExecutionsStarted, …Succeeded, …Failed, …TimedOut, …Aborted. As on AWS they are counts of
the minute, and there is none in a minute without an event.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, NamedTuple

from ministack.services import stepfunctions

from ops.local.server import metric_store
from ops.local.server.event_loop import run_on_loop
from ops.local.server.metric_store import MetricName, publish
from ops.local.server.minute import MINUTE_SECONDS, each_minute
from ops.local.server.scopes import Scope, current_scope, in_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = (
    *metric_store.SEAMS,
    "services.stepfunctions._add_event",
    "services.stepfunctions._emit_execution_status_event",
)

_ACTIVITIES = {
    "ActivityScheduled": "ActivitiesScheduled",
    "ActivityStarted": "ActivitiesStarted",
    "ActivitySucceeded": "ActivitiesSucceeded",
    "ActivityFailed": "ActivitiesFailed",
    "ActivityTimedOut": "ActivitiesTimedOut",
}
_EXECUTIONS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


class _Key(NamedTuple):
    scope: Scope
    dimension: str
    arn: str
    name: str


_counts: Counter[_Key] = Counter()
_lock = threading.Lock()


def _count(dimension: str, arn: str, name: str) -> None:
    with _lock:
        _counts[_Key(current_scope(), dimension, arn, name)] += 1


def _activity_of(execution: dict[str, Any]) -> str | None:
    """Whose task the execution has scheduled last."""
    for event in reversed(execution["events"]):
        if event["type"] == "ActivityScheduled":
            return str(event["activityScheduledEventDetails"]["resource"])
    return None


def install(settings: ServerSettings) -> None:
    """Count events as they are written, and publish at the end of each emulated minute."""
    add, emit = stepfunctions._add_event, stepfunctions._emit_execution_status_event
    minute_seconds = settings.real_seconds(MINUTE_SECONDS)

    def add_counted(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        event = add(execution, kind, details)
        if kind in _ACTIVITIES and (arn := _activity_of(execution)):
            _count("ActivityArn", arn, _ACTIVITIES[kind])
        return event

    def emit_counted(execution: dict[str, Any]) -> Any:
        if name := _EXECUTIONS.get(execution["status"]):
            _count("StateMachineArn", execution["stateMachineArn"], name)
        return emit(execution)

    def publish_minute(boundary: float) -> None:
        with _lock:
            taken = dict(_counts)
            _counts.clear()

        def write() -> None:
            for key, value in taken.items():
                with in_scope(key.scope):
                    metric = MetricName("AWS/States", key.name, ((key.dimension, key.arn),))
                    publish(metric, boundary - minute_seconds / 2, value)

        run_on_loop(write)

    stepfunctions._add_event = add_counted
    stepfunctions._emit_execution_status_event = emit_counted
    each_minute("metrics of Step Functions", publish_minute)
