"""The state of an alarm from its data points."""

from __future__ import annotations

import pytest

from ops.scaling_model.alarm_rules import AlarmState, MissingData, evaluation_range, next_state

# The tables of "How alarm state is evaluated when data is missing" (CloudWatch user guide): the data points of the
# evaluation range, oldest first (0: not breaching, X: breaching, -: missing), and the state under each treatment, in
# the order missing, ignore, breaching, notBreaching. "same" keeps the current state.
THREE_OF_THREE = [
    ("0-X-X", ["OK", "OK", "OK", "OK"]),
    ("0----", ["OK", "OK", "OK", "OK"]),
    ("-----", ["INSUFFICIENT_DATA", "same", "ALARM", "OK"]),
    ("0XX-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    ("--X--", ["ALARM", "same", "ALARM", "OK"]),
]
TWO_OF_THREE = [
    ("0-X-X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    ("00X0X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
    ("0-X--", ["OK", "OK", "ALARM", "OK"]),
    ("----0", ["OK", "OK", "ALARM", "OK"]),
    ("---X-", ["ALARM", "same", "ALARM", "OK"]),
]
TREATMENTS = [MissingData.MISSING, MissingData.IGNORE, MissingData.BREACHING, MissingData.NOT_BREACHING]
POINTS: dict[str, float | None] = {"0": 0.0, "X": 10.0, "-": None}
CASES = [
    (needed, row, treatment, state)
    for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for row, states in table
    for treatment, state in zip(TREATMENTS, states, strict=True)
]


@pytest.mark.parametrize("current", [AlarmState.OK, AlarmState.ALARM])
@pytest.mark.parametrize(("needed", "row", "treatment", "state"), CASES)
def test_the_tables_of_the_guide(
    needed: int, row: str, treatment: MissingData, state: str, current: AlarmState
) -> None:
    found = next_state(
        current,
        [POINTS[sign] for sign in row],
        threshold=5,
        comparison="GreaterThanThreshold",
        evaluation_periods=3,
        datapoints_to_alarm=needed,
        missing=treatment,
    )
    assert found == (current if state == "same" else state)


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanOrEqualToThreshold", "OK", "ALARM", "ALARM"),
        ("GreaterThanThreshold", "OK", "OK", "ALARM"),
        ("LessThanThreshold", "ALARM", "OK", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM", "ALARM", "OK"),
    ],
)
def test_comparisons(comparison: str, below: str, equal: str, above: str) -> None:
    for value, state in ((4.0, below), (5.0, equal), (6.0, above)):
        points = [value] * evaluation_range(1)
        found = next_state(AlarmState.OK, points, threshold=5, comparison=comparison, evaluation_periods=1)
        assert found == state
