"""`eda:global_endpoint`: the bus and what has a rule on it, in two regions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.config import SettingsError
from contracts.manifest import parameter_name
from tests.policies import walk_policies
from tests.program.support import run_program, settings_of
from tests.recorder import Recorder

PROVIDER = "pulumi:providers:aws"


def settings(**endpoint: Any) -> dict[str, Any]:
    config = copy.deepcopy(settings_of("dev"))
    config["aws:defaultTags"] = {"tags": {"team": "pizza"}}
    config["aws:accessKey"] = "000000000000"
    config["eda:patterns"]["nightly"] = {
        "pattern": "scheduled-task",
        "schedule": {"expression": "rate(1 hour)"},
        "handler": {"image": "registry.example/worker:1"},
    }
    config["eda:global_endpoint"] = {"secondary_region": "us-west-2", **endpoint}
    return config


@pytest.fixture(scope="module")
def program() -> Recorder:
    return run_program(settings())


def where(program: Recorder, kind: str) -> tuple[list[str], list[str]]:
    """Names of the resources of a kind in the first region, and in the second."""
    found: tuple[list[str], list[str]] = ([], [])
    for item in program.of_type(kind):
        found["second-region" in item.provider].append(item.name)
    return sorted(found[0]), sorted(found[1])


def test_the_second_region_has_a_provider_like_the_first(program: Recorder):
    inputs = program.one(PROVIDER).inputs
    assert inputs["region"] == "us-west-2"
    assert inputs["accessKey"] == "000000000000"
    assert "pizza" in str(inputs["defaultTags"])


def test_both_regions_have_the_bus_its_rules_queues_and_workers(program: Recorder):
    buses = program.of_type("aws:cloudwatch/eventBus:EventBus")
    assert [bus.inputs["name"] for bus in buses] == ["eda-test"] * 2
    for kind in (
        "aws:cloudwatch/eventBus:EventBus",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/eventArchive:EventArchive",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:sqs/queue:Queue",
        "aws:sqs/queuePolicy:QueuePolicy",
        "aws:ecs/service:Service",
        "aws:ecs/cluster:Cluster",
        "aws:ec2/vpc:Vpc",
        "aws:dynamodb/table:Table",
        "aws:ecr/repository:Repository",
    ):
        first, second = where(program, kind)
        assert second == [name for name in first if not name.startswith("nightly")] != [], kind


def test_what_does_not_come_from_the_bus_is_in_the_first_region_only(program: Recorder):
    assert where(program, "aws:scheduler/schedule:Schedule") == (["nightly"], [])


def test_ops_finds_the_patterns_in_the_second_region(program: Recorder):
    first, second = where(program, "aws:ssm/parameter:Parameter")
    assert second == ["orders-manifest"]
    assert set(first) == {"nightly-manifest", "orders-manifest"}
    parameters = [item.inputs["name"] for item in program.of_type("Parameter") if item.name == "orders-manifest"]
    assert parameters == [parameter_name("test", "orders")] * 2


def test_the_endpoint_is_in_the_first_region_and_knows_both_buses(program: Recorder):
    for kind in ("EventEndpoint", "HealthCheck"):
        assert where(program, kind)[1] == []
    inputs = program.one("aws:cloudwatch/eventEndpoint:EventEndpoint").inputs
    assert len(inputs["eventBuses"]) == 2
    assert inputs["replicationConfig"] == {"state": "ENABLED"}
    assert inputs["routingConfig"]["failoverConfig"]["secondary"] == {"route": "us-west-2"}
    assert inputs["roleArn"]
    assert program.one("HealthCheck").inputs["type"] == "CLOUDWATCH_METRIC"


def test_every_policy_passes_the_walk(program: Recorder):
    assert walk_policies(program) == []


def test_it_runs_while_outputs_are_unknown_and_registers_the_same(program: Recorder):
    assert run_program(settings(), preview=True).children() == program.children()


def test_without_it_there_is_one_region_and_the_bus_has_no_name_of_ours():
    config = settings()
    del config["eda:global_endpoint"]
    recorder = run_program(config)
    assert recorder.of_type(PROVIDER) == []
    assert "name" not in recorder.one("aws:cloudwatch/eventBus:EventBus").inputs


@pytest.mark.parametrize(
    ("endpoint", "network", "problem"),
    [
        ({"secondary_region": "west"}, {}, "global_endpoint.secondary_region"),
        ({"evaluation_minutes": 0}, {}, "global_endpoint.evaluation_minutes"),
        ({}, {"vpc_id": "vpc-0a", "subnet_ids": ["subnet-1"]}, "global_endpoint.network is missing: vpc-0a is in one"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused(endpoint: dict[str, Any], network: dict[str, Any], problem: str):
    with pytest.raises(SettingsError) as caught:
        run_program({**settings(**endpoint), "eda:network": network})
    assert any(problem in line for line in caught.value.problems), caught.value.problems
