"""Traces: files and shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.scaling_model.traffic import Shape, Trace, TraceError, format_trace, parse_trace, shaped
from tests.emulator import ROOT


@pytest.mark.parametrize("shape", list(Shape))
def test_the_committed_traces_are_the_named_shapes(shape: Shape) -> None:
    with (ROOT / "bench" / "traces" / f"{shape}.csv").open() as lines:
        assert parse_trace(lines, str(shape)) == shaped(shape)


def test_shapes_are_what_they_say() -> None:
    steady, burst, daily = shaped(Shape.STEADY), shaped(Shape.BURST), shaped(Shape.DAILY)
    assert (steady.minutes, burst.minutes, daily.minutes, shaped(Shape.UNPREDICTABLE).minutes) == (360, 360, 1440, 720)
    assert steady.messages / steady.minutes == pytest.approx(240, rel=0.02)
    assert sum(count > 1000 for count in burst.messages_per_minute) == 6
    assert max(daily.messages_per_minute) > 15 * min(daily.messages_per_minute)


@given(counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=200).filter(any))
def test_what_is_written_is_read(counts: list[int]) -> None:
    trace = Trace("t", tuple(counts))
    assert parse_trace(format_trace(trace).splitlines(keepends=True), "t") == trace


def test_minutes_that_are_left_out_have_no_messages() -> None:
    trace = parse_trace(["minute,messages\r\n", "2, 5\r\n", "\r\n", "4,1\r\n"], "t")
    assert trace.messages_per_minute == (0, 0, 5, 0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "t is empty"),
        ("time,count\n0,1\n", "t, line 1: the header is 'time,count'; it must be `minute,messages`"),
        ("minute,messages\n0,1\n1,many\n", "t, line 3: messages is 'many'; allowed is a whole number of 0 or more"),
        ("minute,messages\n0,-4\n", "t, line 2: messages is '-4'; allowed is a whole number of 0 or more"),
        ("minute,messages\n-1,4\n", "t, line 2: minute is '-1'"),
        ("minute,messages\n0,1.5\n", "t, line 2: messages is '1.5'"),
        ("minute,messages\n0,1\n1\n", "t, line 3: '1' has 1 columns; it must have 2"),
        ("minute,messages\n1,1\n1,2\n", "t, line 3: minute is 1, after 1; minutes must ascend"),
        ("minute,messages\n21600,1\n", "t, line 2: minute is 21600; at most 21599"),
        ("minute,messages\n0,0\n", "t has no messages"),
        ("minute,messages\n", "t has no messages"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_value(text: str, said: str) -> None:
    with pytest.raises(TraceError) as refused:
        parse_trace(text.splitlines(keepends=True), "t")
    assert said in str(refused.value)
