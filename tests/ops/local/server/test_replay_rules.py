"""StartReplay with FilterArns."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from tests.emulator import Account
from tests.ops.local.server.helpers import wait_until


@pytest.mark.parametrize(("wanted", "expected"), [(["a"], {"a": 2, "b": 1}), ([], {"a": 2, "b": 2})])
def test_a_replay_goes_to_the_rules_that_it_names(
    account: Account, wanted: list[str], expected: dict[str, int]
) -> None:
    events, logs = account.client("events"), account.client("logs")
    bus = events.create_event_bus(Name="bus")["EventBusArn"]
    archive = events.create_archive(ArchiveName="archive", EventSourceArn=bus)["ArchiveArn"]
    rules: dict[str, str] = {}
    for name in ("a", "b"):
        rules[name] = events.put_rule(Name=name, EventBusName="bus", EventPattern='{"source": ["s"]}')["RuleArn"]
        logs.create_log_group(logGroupName=f"/aws/events/{name}")
        arn = f"arn:aws:logs:{account.region}:{account.id}:log-group:/aws/events/{name}"
        events.put_targets(Rule=name, EventBusName="bus", Targets=[{"Id": "l", "Arn": arn}])

    def lines(name: str) -> list[Any]:
        found = logs.filter_log_events(logGroupName=f"/aws/events/{name}")["events"]
        return [json.loads(line["message"]) for line in found]

    events.put_events(Entries=[{"EventBusName": "bus", "Source": "s", "DetailType": "d", "Detail": "{}"}])
    wait_until(lambda: lines("a") and lines("b"), "the event itself")

    now = datetime.datetime.now(datetime.UTC)
    destination: dict[str, Any] = {"Arn": bus}
    if wanted:
        destination["FilterArns"] = [rules[name] for name in wanted]
    events.start_replay(
        ReplayName="r",
        EventSourceArn=archive,
        EventStartTime=now - datetime.timedelta(hours=1),
        EventEndTime=now + datetime.timedelta(hours=1),
        Destination=destination,
    )

    wait_until(lambda: events.describe_replay(ReplayName="r")["State"] == "COMPLETED", "the end of the replay")
    wait_until(lambda: len(lines("a")) == 2, "the replayed event")
    assert {name: len(lines(name)) for name in rules} == expected
