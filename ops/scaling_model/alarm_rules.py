"""The state of an alarm, from its data points.

Source: CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data". An alarm looks at a few more
periods than it evaluates; when that range holds enough data points, the most recent ones decide and nothing is
missing; otherwise ``TreatMissingData`` says what the missing ones count for.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from enum import StrEnum

__all__ = ["COMPARISONS", "AlarmState", "MissingData", "evaluation_range", "next_state"]


class AlarmState(StrEnum):
    """State of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MissingData(StrEnum):
    """TreatMissingData; default `MISSING`."""

    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"
    IGNORE = "ignore"
    MISSING = "missing"


COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

_EXTRA_PERIODS = 2


def evaluation_range(evaluation_periods: int) -> int:
    """How many periods an alarm looks at."""
    return evaluation_periods + _EXTRA_PERIODS


def next_state(
    current: AlarmState,
    points: Sequence[float | None],
    *,
    threshold: float,
    comparison: str,
    evaluation_periods: int,
    datapoints_to_alarm: int | None = None,
    missing: MissingData = MissingData.MISSING,
) -> AlarmState:
    """The state after an evaluation.

    Parameters
    ----------
    current:
        The state before.
    points:
        One value per period of the evaluation range, oldest first; None where there is no data.
    comparison:
        A key of `COMPARISONS`; anything else raises `KeyError`.
    evaluation_periods, datapoints_to_alarm:
        N and M of "M out of N"; M defaults to N.
    """
    breaches = COMPARISONS[comparison]
    needed = datapoints_to_alarm or evaluation_periods
    existing = [point for point in points if point is not None][-evaluation_periods:]
    breaching = sum(breaches(point, threshold) for point in existing)
    absent = evaluation_periods - len(existing)
    if breaching >= needed:
        return AlarmState.ALARM
    if absent <= 0:
        return AlarmState.OK
    if missing is MissingData.BREACHING:
        return AlarmState.ALARM if breaching + absent >= needed else AlarmState.OK
    if missing is MissingData.NOT_BREACHING:
        return AlarmState.OK
    if not existing:
        return current if missing is MissingData.IGNORE else AlarmState.INSUFFICIENT_DATA
    # Too few points to be sure: all that could count do breach.
    undecided = breaching >= min(needed, len(existing))
    if not undecided:
        return AlarmState.OK
    return current if missing is MissingData.IGNORE else AlarmState.ALARM
