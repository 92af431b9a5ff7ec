from __future__ import annotations

import json
from typing import Any

import pytest

from components.core.errors import InvalidArgsError, InvalidNameError
from components.routers.event_bus import EventBus, EventBusArgs
from components.routers.event_sources import DefaultBus, PartnerEventBus, PartnerEventBusArgs
from components.routers.global_endpoint import GlobalEndpoint, GlobalEndpointArgs
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import SqsTarget
from components.stores.queue import Queue
from tests.policies import walk_policies
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record

PARTNER = "aws.partner/example.com/acme/orders"


def test_a_rule_reads_the_events_of_aws_on_the_default_bus():
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}
    recorder = record(
        lambda: Rule(
            "tasks",
            RuleArgs(bus=DefaultBus(), event_pattern=pattern, targets=[SqsTarget(queue=Queue("tasks"))]),
        )
    )
    rule = recorder.one("EventRule").inputs
    assert rule["eventBusName"] == recorder.one("EventTarget").inputs["eventBusName"] == "default"
    assert json.loads(rule["eventPattern"]) == pattern
    assert recorder.of_type("EventBus") == []


def test_a_partners_bus_has_the_name_of_its_source_and_an_archive():
    recorder = record(lambda: PartnerEventBus("acme", PartnerEventBusArgs(event_source=PARTNER)))
    assert recorder.one("aws:cloudwatch/eventBus:EventBus").inputs == {"eventSourceName": PARTNER, "name": PARTNER}
    archive = recorder.one("EventArchive").inputs
    assert archive["retentionDays"] == 7
    assert archive["eventSourceArn"].endswith(f"event-bus/{PARTNER}")


def test_a_partners_bus_can_go_without_an_archive_and_feed_a_rule():
    def program() -> None:
        bus = PartnerEventBus("acme", PartnerEventBusArgs(event_source=PARTNER, archive_days=0))
        Rule("acme", RuleArgs(bus=bus, event_pattern={"account": ["1"]}, targets=[SqsTarget(queue=Queue("acme"))]))

    recorder = record(program)
    assert recorder.of_type("EventArchive") == []
    assert recorder.one("EventRule").inputs["eventBusName"] == PARTNER


@pytest.mark.parametrize("source", ["aws.ecs", "aws.partner/example.com", "aws.partner/a/" + "x" * 256, "partner/a/b"])
def test_a_source_that_no_partner_can_have_is_refused(source: str):
    with pytest.raises(InvalidArgsError, match="allowed is the name of a partner event source"):
        record(lambda: PartnerEventBus("acme", PartnerEventBusArgs(event_source=source)))


def pair(first: str | None = "orders", second: str | None = "orders") -> dict[str, EventBus]:
    return {
        "primary": EventBus("first", EventBusArgs(bus_name=first, archive_days=0)),
        "secondary": EventBus("second", EventBusArgs(bus_name=second, archive_days=0)),
    }


def endpoint(
    name: str = "orders", *, preview: bool = False, names: tuple[str | None, ...] = ("orders", "orders"), **args: Any
) -> Recorder:
    def program() -> None:
        arguments: dict[str, Any] = {"secondary_region": "us-west-2", **pair(*names), **args}
        GlobalEndpoint(name, GlobalEndpointArgs(**arguments))

    return record(program, preview=preview)


def test_an_endpoint_of_two_buses_of_one_name():
    recorder = endpoint()
    assert recorder.children() == {
        "aws:cloudwatch/eventBus:EventBus": 2,
        "aws:cloudwatch/metricAlarm:MetricAlarm": 1,
        "aws:route53/healthCheck:HealthCheck": 1,
        "aws:cloudwatch/eventEndpoint:EventEndpoint": 1,
        "aws:iam/role:Role": 1,
        "aws:iam/rolePolicy:RolePolicy": 1,
    }
    assert recorder.one("aws:cloudwatch/eventBus:EventBus", "first").inputs == {"name": "orders"}


@pytest.mark.parametrize("names", [("orders", "others"), (None, None)])
def test_buses_of_two_names_are_refused(names: tuple[str | None, ...]):
    with pytest.raises(InvalidArgsError, match="EventBridge wants the same name for both"):
        endpoint(names=names)


def test_the_health_check_fails_when_deliveries_are_late_or_missing():
    recorder = endpoint()
    alarm = recorder.one("aws:cloudwatch/metricAlarm:MetricAlarm").inputs
    assert (alarm["namespace"], alarm["metricName"]) == ("AWS/Events", "IngestionToInvocationStartLatency")
    assert (alarm["threshold"], alarm["evaluationPeriods"], alarm["period"]) == (30_000, 5, 60)
    assert alarm["treatMissingData"] == "breaching"
    health = recorder.one("HealthCheck").inputs
    assert health == {
        "cloudwatchAlarmName": "orders-latency-0a1b2c3",
        "cloudwatchAlarmRegion": REGION,
        "insufficientDataHealthStatus": "Unhealthy",
        "triggers": {"latency_milliseconds": "30000", "evaluation_minutes": "5", "quiet_is_unhealthy": "True"},
        "type": "CLOUDWATCH_METRIC",
    }
    quiet = endpoint(quiet_is_unhealthy=False)
    assert quiet.one("aws:cloudwatch/metricAlarm:MetricAlarm").inputs["treatMissingData"] == "missing"
    assert quiet.one("HealthCheck").inputs["insufficientDataHealthStatus"] == "LastKnownStatus"


def test_the_endpoint_routes_to_the_second_region_and_replicates():
    recorder = endpoint()
    inputs = recorder.one("aws:cloudwatch/eventEndpoint:EventEndpoint").inputs
    assert len(inputs["eventBuses"]) == 2
    assert inputs["replicationConfig"] == {"state": "ENABLED"}
    failover = inputs["routingConfig"]["failoverConfig"]
    assert failover["secondary"] == {"route": "us-west-2"}
    assert failover["primary"]["healthCheck"].endswith("healthcheck/orders-health-0a1b2c3")
    put, manage, pass_role = policy_of(recorder.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    assert put["Action"] == ["events:PutEvents"]
    assert manage["Action"] == ["events:PutRule", "events:PutTargets", "events:DeleteRule", "events:RemoveTargets"]
    assert manage["Resource"][0].endswith(":rule/orders/GlobalEndpointManagedRule-*")
    assert pass_role["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/orders-replication-role-0a1b2c3"]
    assert walk_policies(recorder) == []


def test_without_replication_the_role_stays_because_eventbridge_refuses_to_take_it_away():
    recorder = endpoint(replication=False)
    inputs = recorder.one("aws:cloudwatch/eventEndpoint:EventEndpoint").inputs
    assert inputs["replicationConfig"] == {"state": "DISABLED"}
    assert inputs["roleArn"] == f"arn:aws:iam::{ACCOUNT}:role/orders-replication-role-0a1b2c3"


def test_producers_learn_the_endpoints_id():
    ids: list[str] = []

    def program() -> None:
        arguments: dict[str, Any] = {"secondary_region": "us-west-2", **pair()}
        made = GlobalEndpoint("orders", GlobalEndpointArgs(**arguments))
        made.endpoint_id.apply(ids.append)
        (statement,) = made.put_events()
        assert statement.actions == ["events:PutEvents"]
        assert statement.resources is not None
        assert len(statement.resources) == 3

    record(program)
    assert ids == ["abcde.veo"]


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"secondary_region": "west"}, "secondary_region is 'west'; allowed is a region, e.g. 'us-west-2'"),
        ({"latency_milliseconds": 10}, "latency_milliseconds is 10; allowed is a whole number from 1,000"),
        ({"evaluation_minutes": 0}, "evaluation_minutes is 0; allowed is a whole number from 1 to 60 minutes"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(args: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        endpoint(**args)
    assert str(caught.value).startswith(f"GlobalEndpoint 'orders': {problem}")


def test_it_runs_with_unknown_outputs():
    assert endpoint(preview=True).children() == endpoint().children()


def test_a_bus_has_no_name_that_its_archive_could_not_have():
    longest = "b" * 32
    recorder = record(lambda: EventBus(longest))
    (archive,) = recorder.of_type("aws:cloudwatch/eventArchive:EventArchive")
    assert len(archive.name) + 8 == 48  # EventBridge's limit, with what the provider appends
    with pytest.raises(InvalidNameError, match="at most 32 are allowed"):
        record(lambda: EventBus(longest + "s"))
    with pytest.raises(InvalidNameError, match="at most 32 are allowed"):
        record(lambda: PartnerEventBus(longest + "s", PartnerEventBusArgs(event_source=PARTNER)))


def test_an_endpoint_has_no_name_that_its_role_could_not_have():
    (role,) = endpoint("e" * 39).of_type("aws:iam/role:Role")
    assert len(role.name) + 8 == 64
    with pytest.raises(InvalidNameError, match="at most 39 are allowed"):
        endpoint("e" * 40)


@pytest.mark.parametrize("name", ["default", "a b", "a/b", "x" * 257])
def test_a_name_that_no_bus_can_have_is_refused(name: str):
    with pytest.raises(InvalidArgsError, match="allowed are 1 to 256 letters, digits and _.-, not 'default'"):
        record(lambda: EventBus("orders", EventBusArgs(bus_name=name)))
