"""`ops route`: which rules an event matches, and why the others do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.exit_codes import ExitCode
from tests.ops.scene import Scene

EVENT = {
    "source": "pizza.service.com",
    "detail-type": "OrderCreated",
    "detail": {"metadata": {"idempotency-key": "k"}, "data": {"region": "US", "name": "margherita"}},
}
PATTERNS: dict[str, dict[str, Any]] = {
    "all": {"source": ["pizza.service.com"]},
    "oceania": {"source": ["pizza.service.com"], "detail": {"data": {"region": ["AU", "NZ"]}}},
    "here": {"account": [{"exists": True}], "region": ["ap-southeast-2"]},
    "vegan": {"detail": {"data": {"$or": [{"name": ["marinara"]}, {"vegan": [True]}]}}},
}


def bus_with_rules(scene: Scene) -> Any:
    events = scene.account.client("events")
    events.create_event_bus(Name="pizza")
    for name, pattern in PATTERNS.items():
        events.put_rule(Name=name, EventBusName="pizza", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="all", EventBusName="pizza", Targets=[{"Id": "q", "Arn": scene.arn(scene.queue("q"))}])
    return events


def test_each_rule_is_explained_field_by_field(scene: Scene) -> None:
    bus_with_rules(scene)

    ran = scene.run("route", "-", "--bus", "pizza", "--output", "json", stdin=json.dumps(EVENT))

    assert ran.code == ExitCode.OK, ran.stderr
    rows = {row["rule"]: row for row in json.loads(ran.stdout)}
    assert {name: row["matches"] for name, row in rows.items()} == {
        "all": True,
        "here": True,
        "oceania": False,
        "vegan": False,
    }
    assert rows["oceania"]["why"] == 'detail.data.region is "US"; expected one of "AU", "NZ"'
    assert [field["matches"] for field in rows["oceania"]["fields"]] == [True, False]
    assert rows["vegan"]["why"] == (
        'detail.data.name is "margherita"; expected "marinara" (alternative 1 of $or); '
        "detail.data.vegan is absent; expected true (alternative 2 of $or)"
    )
    assert len(rows["all"]["targets"]) == 1
    assert "2 of 4 rules match and would deliver to 1 targets" in ran.stderr


def test_a_disabled_rule_and_a_schedule_deliver_nothing(scene: Scene) -> None:
    events = bus_with_rules(scene)
    events.disable_rule(Name="all", EventBusName="pizza")
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")

    off = scene.run("route", "-", "--bus", "pizza", "--output", "json", stdin=json.dumps(EVENT))
    schedule = scene.run("route", "-", "--bus", "default", "--output", "json", stdin=json.dumps(EVENT))

    rows = {row["rule"]: row for row in json.loads(off.stdout)}
    assert rows["all"]["why"] == "every field matches, but the rule is disabled"
    assert "1 of 4 rules match" in off.stderr
    (row,) = json.loads(schedule.stdout)
    assert (row["matches"], row["why"]) == (False, "it is a schedule: no event matches it")


def test_a_stack_names_the_pattern_that_a_rule_belongs_to(scene: Scene) -> None:
    bus_with_rules(scene)
    scene.publish_pattern("orders", {"rules": [{"name": "oceania", "bus": "pizza"}]})

    ran = scene.run("--stack", "dev", "route", "-", "--output", "json", stdin=json.dumps(EVENT))

    assert {row["rule"]: row["pattern"] for row in json.loads(ran.stdout)}["oceania"] == "orders"


@pytest.mark.parametrize(
    ("stdin", "code", "message"),
    [
        ("{", ExitCode.USAGE, "- is not JSON"),
        ("[]", ExitCode.USAGE, "an event is an object, not []"),
        ('{"source": "a"}', ExitCode.USAGE, "the event has no detail-type, detail"),
    ],
)
def test_what_is_no_event_is_refused(scene: Scene, stdin: str, code: ExitCode, message: str) -> None:
    bus_with_rules(scene)
    ran = scene.run("route", "-", "--bus", "pizza", stdin=stdin)
    assert ran.code == code
    assert message in ran.stderr


def test_an_unknown_bus_is_one_sentence(scene: Scene) -> None:
    ran = scene.run("route", "-", "--bus", "nowhere", stdin=json.dumps(EVENT))
    assert ran.code == ExitCode.ERROR
    assert "the event bus 'nowhere' does not exist" in ran.stderr
