from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pulumi.runtime.mocks import MockResourceArgs

from components.config import SettingsError
from contracts.manifest import Holds, PatternManifest
from tests.components.config.test_loading import EIGHT_KINDS
from tests.policies import walk_policies
from tests.program.support import STACKS, run_program, settings_of
from tests.recorder import Recorder


@pytest.fixture(scope="module")
def programs() -> dict[str, Recorder]:
    return {stack: run_program(settings_of(stack), stack=stack) for stack in STACKS}


def test_there_is_an_environment_for_everybody():
    assert STACKS == ["dev", "local", "prod"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_runs_while_outputs_are_unknown(stack: str):
    recorder = run_program(settings_of(stack), stack=stack, preview=True)
    assert "orders" in recorder.names("aws:ecs/service:Service")


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_registers_what_the_deploy_registers(stack: str, programs: dict[str, Recorder]):
    preview = run_program(settings_of(stack), stack=stack, preview=True)
    assert preview.children() == programs[stack].children()


@pytest.mark.parametrize("stack", STACKS)
def test_every_policy_passes_the_walk(stack: str, programs: dict[str, Recorder]):
    assert walk_policies(programs[stack]) == []


@pytest.mark.parametrize("stack", STACKS)
def test_every_queue_has_exactly_one_policy(stack: str, programs: dict[str, Recorder]):
    recorder = programs[stack]
    urls = sorted(item.inputs["queueUrl"] for item in recorder.of_type("QueuePolicy"))
    assert len(urls) == len(set(urls)) == len(recorder.of_type("aws:sqs/queue:Queue")) >= 3


@pytest.mark.parametrize("stack", STACKS)
def test_every_arrow_has_a_dead_letter_queue(stack: str, programs: dict[str, Recorder]):
    recorder = programs[stack]
    for target in recorder.of_type("EventTarget"):
        assert target.inputs["deadLetterConfig"]["arn"]
    queues = {item.name: item.inputs for item in recorder.of_type("aws:sqs/queue:Queue")}
    assert {"orders", "orders-dlq", "orders-undelivered"} <= set(queues)
    for name, queue in queues.items():
        last = name.endswith(("-dlq", "-undelivered", "-unstarted", "-on-failure"))
        assert last == ("redrivePolicy" not in queue), name
        assert queue["messageRetentionSeconds"] == 14 * 86_400 or not last, name
    for subscription in recorder.of_type("aws:sns/topicSubscription:TopicSubscription"):
        if subscription.inputs["protocol"] == "sqs":
            assert json.loads(subscription.inputs["redrivePolicy"])["deadLetterTargetArn"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_manifest_tells_ops_everything(stack: str, programs: dict[str, Recorder]):
    parameter = programs[stack].one("aws:ssm/parameter:Parameter", "orders-manifest").inputs
    assert parameter["name"] == f"/eda/{stack}/patterns/orders"
    manifest = PatternManifest.from_json(parameter["value"])
    assert manifest.pattern == "queue-worker"
    assert manifest.stack == stack
    assert manifest.region == "ap-southeast-2"
    assert manifest.queue is not None
    assert manifest.queue.url.endswith("/orders-0a1b2c3")
    messages, undelivered = manifest.dead_letter_queues
    assert messages.holds is Holds.MESSAGES
    assert messages.origin_arn == manifest.queue.arn
    assert undelivered.holds is Holds.UNDELIVERED_EVENTS
    assert manifest.service is not None
    assert manifest.scaling is not None
    assert (manifest.scaling.min, manifest.scaling.max) == {"dev": (0, 20), "prod": (2, 50), "local": (0, 4)}[stack]
    assert manifest.idempotency_table == "orders-idempotency-0a1b2c3"


def test_dev_costs_nothing_while_idle(programs: dict[str, Recorder]):
    recorder = programs["dev"]
    for costly in ("NatGateway", "VpcEndpoint", "Eip", "aws:kms/key:Key"):
        assert recorder.of_type(costly) == [], costly
    assert recorder.one("aws:ecs/service:Service").inputs["desiredCount"] == 0


def test_prod_is_private_and_encrypted_with_its_own_key_and_tells_somebody(programs: dict[str, Recorder]):
    recorder = programs["prod"]
    assert len(recorder.of_type("NatGateway")) == 3
    service = recorder.one("aws:ecs/service:Service").inputs
    assert service["networkConfiguration"]["assignPublicIp"] is False
    assert all("kmsMasterKeyId" in queue.inputs for queue in recorder.of_type("aws:sqs/queue:Queue"))
    topic = recorder.one("aws:sns/topic:Topic")
    assert topic.inputs["kmsMasterKeyId"]
    subscription = recorder.one("aws:sns/topicSubscription:TopicSubscription").inputs
    assert (subscription["protocol"], subscription["endpoint"]) == ("email", "on-call@example.com")


def test_schemas_are_published_where_there_is_a_registry(programs: dict[str, Recorder]):
    for stack in ("dev", "prod"):
        names = [item.inputs["name"] for item in programs[stack].of_type("aws:schemas/schema:Schema")]
        assert sorted(names) == ["com.flix@ChannelCreated", "pizza.service.com@OrderCreated"]
    assert programs["local"].of_type("aws:schemas/registry:Registry") == []


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_a_stack_without_an_alarm_topic_has_none(stack: str, programs: dict[str, Recorder]):
    assert "alarms" not in programs[stack].names("aws:sns/topic:Topic")
    assert not [
        alarm for alarm in programs[stack].of_type("MetricAlarm") if "sns" in str(alarm.inputs.get("alarmActions"))
    ]


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(settings_of("dev"))
    orders = config["eda:patterns"]["orders"]
    for path, value in changes.items():
        *parents, name = path.split(".")
        inner = orders
        for parent in parents:
            inner = inner.setdefault(parent, {})
        if value is ...:
            del inner[name]
        else:
            inner[name] = value
    return config


@pytest.mark.parametrize(("changes", "line"), EIGHT_KINDS, ids=lambda value: str(value)[:40])
def test_wrong_settings_are_refused_before_anything_is_registered(
    changes: dict[str, Any], line: str, monkeypatch: pytest.MonkeyPatch
):
    registered: list[str] = []

    def new_resource(self: Recorder, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        registered.append(args.name)
        return args.name, {}

    monkeypatch.setattr(Recorder, "new_resource", new_resource)
    with pytest.raises(SettingsError) as caught:
        run_program(changed(changes), stack="dev")
    path = line.split(":")[0]
    assert any(problem.startswith(path) for problem in caught.value.problems), caught.value.problems
    assert registered == []


def test_a_stack_with_a_second_fifo_worker_shares_bus_and_cluster():
    config = copy.deepcopy(settings_of("dev"))
    second = copy.deepcopy(config["eda:patterns"]["orders"])
    second |= {"queue": {"fifo": True, "high_throughput": True}, "scaling": {"policy": "queue-depth", "min": 1}}
    second["handler"] = {"image": "registry.example/worker:1", "command": ["queue"]}
    config["eda:patterns"]["payments"] = second
    recorder = run_program(config)
    assert len(recorder.of_type("aws:cloudwatch/eventBus:EventBus")) == 1
    assert len(recorder.of_type("aws:ecs/cluster:Cluster")) == 1
    assert recorder.names("aws:ecs/service:Service") == ["orders", "payments"]
    targets = {item.name: item.inputs for item in recorder.of_type("EventTarget")}
    assert targets["payments-payments"]["sqsTarget"] == {"messageGroupId": "payments"}
    definitions = {item.name: item.inputs for item in recorder.of_type("aws:ecs/taskDefinition:TaskDefinition")}
    (container,) = json.loads(definitions["payments"]["containerDefinitions"])
    assert container["command"] == ["queue"]
    assert walk_policies(recorder) == []


def test_twenty_workers_run_under_mocks():
    config = copy.deepcopy(settings_of("local"))
    orders = config["eda:patterns"].pop("orders")
    config["eda:patterns"] = {f"worker-{number}": orders for number in range(20)}
    recorder = run_program(config)
    assert len(recorder.of_type("aws:ecs/service:Service")) == 20
    assert walk_policies(recorder) == []


@pytest.mark.parametrize("stack", STACKS)
def test_one_dashboard_has_a_section_for_every_pattern(stack: str, programs: dict[str, Recorder]):
    inputs = programs[stack].one("aws:cloudwatch/dashboard:Dashboard").inputs
    assert inputs["dashboardName"] == f"eda-{stack}-overview"
    sections = [w for w in json.loads(inputs["dashboardBody"])["widgets"] if w["type"] == "text"]
    assert len(sections) == len(programs[stack].of_type("aws:ssm/parameter:Parameter")) >= 1


def test_more_patterns_than_a_dashboard_holds_are_on_several():
    config = copy.deepcopy(settings_of("local"))
    orders = config["eda:patterns"].pop("orders")
    config["eda:patterns"] = {f"worker-{number}": orders for number in range(61)}
    recorder = run_program(config)
    held = {
        item.name: sum(w["type"] == "text" for w in json.loads(item.inputs["dashboardBody"])["widgets"])
        for item in recorder.of_type("aws:cloudwatch/dashboard:Dashboard")
    }
    assert held == {"overview": 60, "overview-2": 1}


def test_a_dashboard_for_each_pattern_or_none():
    settings = settings_of("local")
    each = run_program({**settings, "eda:dashboard": {"per": "pattern"}})
    assert each.names("aws:cloudwatch/dashboard:Dashboard") == sorted(settings["eda:patterns"])
    kitchens = each.one("aws:cloudwatch/dashboard:Dashboard", "kitchens").inputs["dashboardBody"]
    titles = [w["properties"]["markdown"] for w in json.loads(kitchens)["widgets"] if w["type"] == "text"]
    assert [title.split("**")[1] for title in titles] == ["kitchens", "kitchens-all", "kitchens-auckland"]
    off = run_program({**settings, "eda:dashboard": {"enabled": False}})
    assert off.of_type("aws:cloudwatch/dashboard:Dashboard") == []


@pytest.mark.parametrize(
    ("given", "headroom", "target"), [({}, 0, 30), ({"headroom": 0.25}, 0.25, 22), ({"headroom": 0.5}, 0.5, 15)]
)
def test_the_headroom_is_in_the_target_and_in_the_manifest(given: dict[str, Any], headroom: float, target: int):
    settings = copy.deepcopy(settings_of("dev"))
    scaling = {"acceptable_latency_seconds": 60, "processing_seconds": 2, "min": 1, **given}
    settings["eda:patterns"]["orders"]["scaling"] = scaling
    recorder = run_program(settings)
    policy = recorder.one("aws:appautoscaling/policy:Policy", "orders-scaling-backlog").inputs
    assert policy["targetTrackingScalingPolicyConfiguration"]["targetValue"] == target
    manifest = PatternManifest.from_json(recorder.one("aws:ssm/parameter:Parameter", "orders-manifest").inputs["value"])
    assert manifest.scaling is not None
    assert manifest.scaling.headroom == headroom


@pytest.mark.parametrize(
    ("scaling", "warned"),
    [
        ({"acceptable_latency_seconds": 60, "min": 0}, True),
        ({"acceptable_latency_seconds": 60, "min": 1}, False),
        ({"acceptable_latency_seconds": 60, "min": 0, "policy": "queue-depth"}, False),
        ({}, False),
    ],
)
def test_a_latency_that_cannot_be_kept_from_zero_is_warned_of(
    scaling: dict[str, Any], warned: bool, monkeypatch: pytest.MonkeyPatch
):
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    settings = copy.deepcopy(settings_of("dev"))
    settings["eda:patterns"]["orders"]["scaling"] = scaling
    run_program(settings)
    assert [line.startswith("orders: scaling: acceptable_latency_seconds is 60 with min 0; ") for line in said] == (
        [True] if warned else []
    )


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_of_ours_is_warned_of(stack: str, monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", said.append)
    run_program(settings_of(stack), stack=stack)
    assert said == []
