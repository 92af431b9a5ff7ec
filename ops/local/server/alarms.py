"""Gap: alarms that look at their own metric.

MiniStack ignores an alarm's dimensions, drops ``Metrics``, evaluates on API calls only and never leaves ALARM when data
stops. Here every alarm is evaluated at the end of each emulated minute over its own periods, by
`ops.scaling_model.alarm_rules`. A change of state is recorded, announced as an event, and acted upon; scaling
policies are called again each period while the alarm lasts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ministack.services import cloudwatch, eventbridge

from ops.local.server import metric_store
from ops.local.server.background import log_once, start_thread
from ops.local.server.event_loop import run_on_loop
from ops.local.server.metric_math import Series
from ops.local.server.metric_queries import as_series, evaluate_queries, returned_query
from ops.local.server.metric_store import MetricName, Window, dimensions_of, read
from ops.local.server.minute import each_minute
from ops.local.server.scopes import Scope, current_scope, in_scope, records
from ops.local.server.settings import ServerSettings
from ops.scaling_model.alarm_rules import AlarmState, MissingData, evaluation_range, next_state

__all__ = ["SEAMS", "AlarmCall", "install", "on_policy_call"]

SEAMS = (
    *metric_store.SEAMS,
    "services.cloudwatch._alarms",
    "services.cloudwatch._put_metric_alarm",
    "services.cloudwatch._set_alarm_state",
    "services.cloudwatch._evaluate_alarm",
    "services.cloudwatch._dispatch_alarm_actions",
    "services.cloudwatch._record_history",
    "services.cloudwatch._evaluate_parent_alarms",
    "services.eventbridge._put_events",
)

Alarm = dict[str, Any]
POLICY_ARN_PREFIX = "arn:aws:autoscaling:"
_ACTIONS_BY_STATE = {
    AlarmState.ALARM: "AlarmActions",
    AlarmState.OK: "OKActions",
    AlarmState.INSUFFICIENT_DATA: "InsufficientDataActions",
}


@dataclass(frozen=True)
class AlarmCall:
    """An alarm calls a scaling policy.

    Attributes
    ----------
    value:
        The metric's latest data point; None when data is missing and that counts as a breach.
    """

    scope: Scope
    policy_arn: str
    alarm_name: str
    state: AlarmState
    threshold: float
    value: float | None


_policy_listeners: list[Callable[[AlarmCall], None]] = []


def on_policy_call(listener: Callable[[AlarmCall], None]) -> None:
    """Call `listener` for each scaling policy among an alarm's actions, once per period while the state lasts."""
    _policy_listeners.append(listener)


def _data_points(alarm: Alarm, boundary: float, settings: ServerSettings) -> list[float | None]:
    """The values of the alarm's evaluation range, oldest first."""
    queries = alarm.get("Metrics")
    periods = evaluation_range(int(alarm.get("EvaluationPeriods") or 1))
    if not queries:
        window = Window(boundary, settings.real_seconds(float(alarm["Period"])), periods)
        name = MetricName(alarm["Namespace"], alarm["MetricName"], dimensions_of(alarm.get("Dimensions")))
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        series = read(name, statistic, window)
        return [series.get(at) for at in window.timestamps]
    stated = [query.get("Period") or (query.get("MetricStat") or {}).get("Period") for query in queries]
    window = Window(boundary, settings.real_seconds(float(max(filter(None, stated), default=60))), periods)

    def read_metric(metric_stat: Mapping[str, Any]) -> Series:
        metric = metric_stat["Metric"]
        name = MetricName(metric["Namespace"], metric["MetricName"], dimensions_of(metric.get("Dimensions")))
        return read(name, metric_stat.get("Stat", "Average"), window)

    timestamps = window.timestamps
    values = evaluate_queries(queries, read_metric, timestamps)
    series = as_series(values[returned_query(queries)["Id"]], timestamps)
    return [series.get(at) for at in timestamps]


def _evaluate(scope: Scope, alarm: Alarm, boundary: float, settings: ServerSettings) -> list[AlarmCall]:
    """Bring the alarm to its new state; returns the policies to call, which must not be done on the event loop."""
    points = _data_points(alarm, boundary, settings)
    old = AlarmState(alarm["StateValue"])
    new = next_state(
        old,
        points,
        threshold=float(alarm["Threshold"]),
        comparison=alarm["ComparisonOperator"],
        evaluation_periods=int(alarm["EvaluationPeriods"]),
        datapoints_to_alarm=alarm.get("DatapointsToAlarm"),
        missing=MissingData(alarm.get("TreatMissingData") or MissingData.MISSING),
    )
    latest = next((point for point in reversed(points) if point is not None), None)
    if new is not old:
        reason = _reason(new, alarm, points)
        alarm.update(StateValue=str(new), StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        cloudwatch._record_history(alarm["AlarmName"], str(old), str(new), reason)
        cloudwatch._dispatch_alarm_actions(alarm, str(old), str(new), reason)
        cloudwatch._evaluate_parent_alarms(alarm)
    return _policy_calls(scope, alarm, new, latest)


def _reason(state: AlarmState, alarm: Alarm, points: list[float | None]) -> str:
    shown = [point for point in points[-int(alarm["EvaluationPeriods"]) :] if point is not None]
    if not shown:
        return f"Threshold Crossed: no datapoints were received for {alarm['EvaluationPeriods']} periods."
    verb = "were" if state is AlarmState.ALARM else "were not"
    return f"Threshold Crossed: the last datapoints {shown} {verb} {alarm['ComparisonOperator']} {alarm['Threshold']}."


def _policy_calls(scope: Scope, alarm: Alarm, state: AlarmState, value: float | None) -> list[AlarmCall]:
    """The scaling policies among the actions of this state."""
    if not alarm.get("ActionsEnabled", True):
        return []
    return [
        AlarmCall(scope, action, alarm["AlarmName"], state, float(alarm["Threshold"]), value)
        for action in alarm.get(_ACTIONS_BY_STATE[state]) or []
        if str(action).startswith(POLICY_ARN_PREFIX) and ":scalingPolicy:" in action
    ]


def _call(calls: list[AlarmCall]) -> None:
    for call in calls:
        for listener in _policy_listeners:
            with in_scope(call.scope), log_once(f"scaling policy called by {call.alarm_name}"):
                listener(call)


def _announce(alarm: Alarm, old_state: str, new_state: str, reason: str) -> None:
    """The "CloudWatch Alarm State Change" event."""
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new_state, "reason": reason},
        "previousState": {"value": old_state},
        "configuration": {"description": alarm.get("AlarmDescription") or "", "metrics": alarm.get("Metrics") or []},
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Resources": [alarm.get("AlarmArn", "")],
        "Detail": json.dumps(detail),
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def install(settings: ServerSettings) -> None:
    """Evaluate alarms each emulated minute."""
    put_metric_alarm = cloudwatch._put_metric_alarm
    set_alarm_state = cloudwatch._set_alarm_state
    dispatch_actions = cloudwatch._dispatch_alarm_actions

    def put(params: Any, document: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        response = put_metric_alarm(params, document, is_cbor, is_json)
        alarm = cloudwatch._alarms.get(document.get("AlarmName", ""))
        if alarm and response[0] < 400 and document.get("Metrics"):
            alarm["Metrics"] = document["Metrics"]
            for name in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit"):
                alarm.pop(name, None)  # an alarm on Metrics has none of its own
        return response

    def dispatch(alarm: Alarm, old_state: str, new_state: str, reason: str) -> None:
        dispatch_actions(alarm, old_state, new_state, reason)
        _announce(alarm, old_state, new_state, reason)

    def set_state(params: Any, document: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        response = set_alarm_state(params, document, is_cbor, is_json)
        alarm = cloudwatch._alarms.get(document.get("AlarmName", ""))
        if alarm and response[0] < 400:
            calls = _policy_calls(current_scope(), alarm, AlarmState(alarm["StateValue"]), None)
            if calls:
                start_thread(lambda: _call(calls), name="alarm-actions")
        return response

    def evaluate_all(boundary: float) -> None:
        for scope, name, alarm in records(cloudwatch._alarms):
            with in_scope(scope), log_once(f"alarm {name} of account {scope.account_id}"):
                _call(run_on_loop(partial(_evaluate, scope, alarm, boundary, settings)))

    cloudwatch._put_metric_alarm = put
    cloudwatch._set_alarm_state = set_state
    cloudwatch._dispatch_alarm_actions = dispatch
    cloudwatch._evaluate_alarm = lambda _alarm: None  # the minute does it
    each_minute("alarms", evaluate_all)
