"""`ops replay-events`: an archive's events come again, to the rules that were named and to no others."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.times import parse_time
from tests.ops.scene import Scene

NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)


def bus_with_archive(scene: Scene, archives: int = 1) -> tuple[Any, dict[str, str]]:
    """A bus with an archive and two rules, each with a queue of its name."""
    events = scene.account.client("events")
    arn = events.create_event_bus(Name="pizza")["EventBusArn"]
    for number in range(archives):
        events.create_archive(ArchiveName=f"archive-{number}", EventSourceArn=arn)
    queues = {}
    for name in ("first", "second"):
        queues[name] = scene.queue(name)
        rule = events.put_rule(Name=name, EventBusName="pizza", EventPattern='{"source": ["shop"]}')["RuleArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": scene.arn(queues[name]),
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        scene.sqs.set_queue_attributes(QueueUrl=queues[name], Attributes={"Policy": policy})
        events.put_targets(Rule=name, EventBusName="pizza", Targets=[{"Id": "q", "Arn": scene.arn(queues[name])}])
    return events, queues


def publish(events: Any, count: int) -> None:
    for number in range(count):
        entry = {"EventBusName": "pizza", "Source": "shop", "DetailType": "Sold", "Detail": json.dumps({"n": number})}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def received(scene: Scene, url: str, count: int) -> list[int]:
    """The numbers that came, once `count` of them have."""
    numbers: list[int] = []
    for _ in range(50):
        numbers += [json.loads(body)["detail"]["n"] for body in scene.bodies(url)]
        if len(numbers) >= count:
            break
        scene.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, VisibilityTimeout=0)
    return sorted(numbers)


def test_events_come_again_to_the_named_rule_only(scene: Scene) -> None:
    events, queues = bus_with_archive(scene)
    publish(events, 12)
    assert received(scene, queues["first"], 12) == received(scene, queues["second"], 12) == list(range(12))

    words = ("--bus", "pizza", "--rule", "second", "--since", "5m", "--until", "0s", "--yes", "--output", "json")
    ran = scene.run("replay-events", *words)

    assert ran.code == ExitCode.OK, ran.stderr
    assert ran.last["state"] == "COMPLETED"
    assert ran.last["rules"] == ["second"]
    assert received(scene, queues["second"], 12) == list(range(12))
    assert scene.counts(queues["first"]) == (0, 0)


def test_a_pattern_means_its_own_rules(scene: Scene) -> None:
    events, queues = bus_with_archive(scene)
    publish(events, 3)
    received(scene, queues["first"], 3)
    received(scene, queues["second"], 3)
    scene.publish_pattern("orders", {"rules": [{"name": "first", "bus": "pizza"}]})

    ran = scene.run("--stack", "dev", "replay-events", "orders", "--since", "5m", "--yes")

    assert ran.code == ExitCode.OK, ran.stderr
    assert received(scene, queues["first"], 3) == [0, 1, 2]
    assert scene.counts(queues["second"]) == (0, 0)


def test_a_dry_run_starts_nothing(scene: Scene) -> None:
    events, _ = bus_with_archive(scene)

    ran = scene.run("replay-events", "--bus", "pizza", "--dry-run", "--output", "json")

    assert ran.code == ExitCode.OK
    assert ran.last["archive"] == "archive-0"
    assert events.list_replays()["Replays"] == []


@pytest.mark.parametrize(
    ("archives", "words", "message"),
    [
        (1, (), "name a pattern, or the bus with --bus"),
        (1, ("--bus", "pizza"), "there is no terminal to ask"),
        (1, ("--bus", "pizza", "--yes", "--rule", "third"), "the bus pizza has no rule 'third'"),
        (1, ("--bus", "pizza", "--yes", "--since", "1h", "--until", "2h"), "is not after --since"),
        (1, ("--bus", "pizza", "--yes", "--since", "soon"), "'soon' is no time"),
        (1, ("--bus", "pizza", "--yes", "--timeout", "0"), "--timeout 0: must be over 0 seconds"),
        (2, ("--bus", "pizza", "--yes"), "the bus pizza has 2 archives"),
        (0, ("--bus", "pizza", "--yes"), "the bus pizza has no archive"),
        (0, ("--bus", "nowhere", "--yes"), "EventBridge does not know it"),
    ],
    ids=str,
)
def test_mistakes_start_nothing(scene: Scene, archives: int, words: tuple[str, ...], message: str) -> None:
    events, _ = bus_with_archive(scene, archives)
    ran = scene.run("replay-events", *words)
    assert ran.code in (ExitCode.USAGE, ExitCode.ERROR)
    assert message in ran.stderr
    assert events.list_replays()["Replays"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - datetime.timedelta(minutes=90)),
        ("7d", NOW - datetime.timedelta(days=7)),
        ("2026-11-20T10:00Z", NOW.replace(hour=10)),
        ("2026-11-20T10:00", NOW.replace(hour=10)),
        (
            "2026-11-20T10:00+11:00",
            NOW.replace(hour=10).replace(tzinfo=datetime.timezone(datetime.timedelta(hours=11))),
        ),
    ],
)
def test_times(text: str, expected: datetime.datetime) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize("text", ["1w", "", "yesterday", "2026-13-01", f"{10**12}d"])
def test_what_is_no_time_says_what_is(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_time(text, NOW)
    assert "90m, 24h, 7d" in caught.value.hint
