"""When a schedule is due, in its own time zone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ops.local.server.scheduler_times import due_at
from tests.emulator import Account
from tests.ops.local.server.helpers import queue, receive, wait_until

MELBOURNE, BERLIN, UTC_ZONE = ZoneInfo("Australia/Melbourne"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
BRISBANE = ZoneInfo("Australia/Brisbane")
"""It has no summer time: every hour of its clocks is of one moment only, whenever the test runs."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "due"),
    [
        ("cron(0 8 ? * MON-FRI *)", UTC_ZONE, "2026-11-27T09:00", "2026-11-30T08:00"),
        # 8 o'clock in Melbourne is 21:00 in summer, 22:00 in winter
        ("cron(0 8 ? * MON-FRI *)", MELBOURNE, "2026-11-26T12:00", "2026-11-26T21:00"),
        ("cron(0 8 ? * MON-FRI *)", MELBOURNE, "2026-07-07T12:00", "2026-07-07T22:00"),
        # Friday evening in UTC is Saturday there
        ("cron(0 8 ? * MON-FRI *)", MELBOURNE, "2026-11-27T12:00", "2026-11-29T21:00"),
        # 02:30 does not exist in Berlin on 29 March 2026: skipped
        ("cron(30 2 * * ? *)", BERLIN, "2026-03-28T12:00", "2026-03-30T00:30"),
        # 02:30 comes twice on 25 October 2026: the first time counts
        ("cron(30 2 * * ? *)", BERLIN, "2026-10-24T12:00", "2026-10-25T00:30"),
        ("cron(30 2 * * ? *)", BERLIN, "2026-10-25T00:30", "2026-10-26T01:30"),
        ("rate(5 minutes)", BERLIN, "2026-11-20T10:00", "2026-11-20T10:05"),
        ("at(2026-12-24T18:00:00)", BERLIN, "2026-11-20T10:00", "2026-12-24T17:00"),
        ("at(2026-12-24T18:00:00)", UTC_ZONE, "2026-11-20T10:00", "2026-12-24T18:00"),
    ],
)
def test_the_wall_clock_of_the_zone_counts(expression: str, zone: ZoneInfo, after: str, due: str):
    assert due_at(expression, zone, at(after), fired=False) == at(due)


def test_an_at_fires_once_and_a_year_that_is_over_never():
    assert due_at("at(2026-12-24T18:00:00)", UTC_ZONE, at("2026-12-24T18:00"), fired=True) is None
    assert due_at("cron(0 8 1 1 ? 2020)", UTC_ZONE, at("2026-11-20T10:00"), fired=False) is None


def test_every_repeated_hour_fires_as_often_as_the_wall_shows_it_for_the_first_time():
    after, seen = at("2026-10-24T21:30"), []
    for _ in range(5):
        moment = due_at("cron(0 * * * ? *)", BERLIN, after, fired=True)
        assert moment is not None
        seen.append(f"{moment:%H:%M}")
        after = moment
    # 00:00, 01:00 and 02:00 of summer time; the 02:00 of winter time is a repetition
    assert seen == ["22:00", "23:00", "00:00", "02:00", "03:00"]


def test_a_schedule_of_another_zone_fires_now_and_names_the_planned_time(account: Account):
    url, arn = queue(account, "planned")
    planned = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    account.client("scheduler").create_schedule(
        Name="once",
        ScheduleExpression=f"at({planned.astimezone(BRISBANE):%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone="Australia/Brisbane",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": arn,
            "RoleArn": f"arn:aws:iam::{account.id}:role/any",
            "Input": json.dumps({"at": "<aws.scheduler.scheduled-time>"}),
        },
    )
    message = receive(account, url)
    assert json.loads(message["Body"]) == {"at": f"{planned:%Y-%m-%dT%H:%M:%SZ}"}
    wait_until(lambda: not account.client("scheduler").list_schedules()["Schedules"], "the end of the schedule")
