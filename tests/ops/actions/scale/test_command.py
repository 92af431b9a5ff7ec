"""`ops scale` and `ops status` against canned answers of AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.aws import Aws
from ops.exit_codes import ExitCode
from tests.ops.actions.scale.test_change import _STEPS, _TRACKING
from tests.ops.scene import Scene

_RESOURCE = "service/shop/orders"


class _Canned:
    """Clients of `Aws` that answer from scripts; a request that the script does not expect fails the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._clients: dict[str, Any] = {}
        self.scripts: dict[str, Stubber] = {}
        for name in ("ecs", "application-autoscaling"):
            client = boto3.client(
                name,
                region_name="ap-southeast-2",
                aws_access_key_id="a",
                aws_secret_access_key="b",
            )
            self._clients[name] = client
            self.scripts[name] = Stubber(client)
            self.scripts[name].activate()
        original = Aws.client

        def client_of(aws: Aws, service: str, *words: Any, **named: Any) -> Any:
            return self._clients.get(service) or original(aws, service, *words, **named)

        monkeypatch.setattr(Aws, "client", client_of)

    def service(self, desired: int, running: int, pending: int = 0) -> None:
        counts = {"desiredCount": desired, "runningCount": running, "pendingCount": pending}
        self.scripts["ecs"].add_response(
            "describe_services",
            {"services": [{"serviceName": "orders", "status": "ACTIVE", **counts}]},
            {"cluster": "shop", "services": ["orders"]},
        )

    def scaling(self, low: int = 1, high: int = 10, *, suspended: bool = False) -> None:
        script = self.scripts["application-autoscaling"]
        names = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
        target = {
            "ServiceNamespace": "ecs",
            "ResourceId": _RESOURCE,
            "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": low,
            "MaxCapacity": high,
            "RoleARN": "arn:aws:iam::123456789012:role/r",
            "CreationTime": datetime.now(UTC),
            "SuspendedState": dict.fromkeys(names, suspended),
        }
        policies = [{**policy, "CreationTime": datetime.now(UTC)} for policy in (_STEPS, _TRACKING)]
        activity = {
            "ActivityId": "1",
            "ServiceNamespace": "ecs",
            "ResourceId": _RESOURCE,
            "ScalableDimension": "ecs:service:DesiredCount",
            "Description": "Setting desired count to 4.",
            "Cause": "monitor alarm backlog in state ALARM triggered policy backlog",
            "StartTime": datetime(2026, 11, 20, 3, tzinfo=UTC),
            "StatusCode": "Successful",
        }
        script.add_response("describe_scalable_targets", {"ScalableTargets": [target]})
        script.add_response("describe_scaling_policies", {"ScalingPolicies": policies})
        script.add_response("describe_scaling_activities", {"ScalingActivities": [activity]})

    def done(self) -> None:
        for script in self.scripts.values():
            script.assert_no_pending_responses()


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Canned]:
    canned = _Canned(monkeypatch)
    yield canned
    canned.done()


def _pattern(scene: Scene, **scaling: float) -> str:
    queue = scene.queue("orders")
    scene.fill(queue, ["one", "two"])
    scene.sqs.receive_message(QueueUrl=queue)
    scene.publish_pattern(
        "orders",
        {
            "queue": scene.queue_ref(queue),
            "service": {"cluster": "shop", "name": "orders", "log_group": "/shop/orders"},
            "scaling": {"policy": "backlog-per-task", "min": 0, "max": 10, **scaling},
        },
    )
    return queue


def test_without_a_change_it_shows_everything_and_why(scene: Scene, canned: _Canned) -> None:
    _pattern(scene)
    canned.service(4, 3, 1)
    canned.scaling(0, 10)

    ran = scene.run("--stack", "dev", "scale", "orders", "--output", "json")

    assert ran.code == ExitCode.OK, ran.stderr
    shown = ran.last
    expected = {"visible": 1, "in_flight": 1, "running": 3, "desired": 4, "pending": 1, "min": 0, "max": 10}
    assert {name: shown[name] for name in expected} == expected
    assert (shown["target"], shown["paused"], shown["changes"]) == (10.0, False, [])
    assert "triggered policy backlog" in shown["activities"][0]["why"]


def test_bounds_target_and_desired_count_are_set_in_this_order(scene: Scene, canned: _Canned) -> None:
    canned.service(2, 2)
    canned.scaling()
    autoscaling, ecs = canned.scripts["application-autoscaling"], canned.scripts["ecs"]
    identity = {
        "ServiceNamespace": "ecs",
        "ResourceId": _RESOURCE,
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    autoscaling.add_response("register_scalable_target", {}, {**identity, "MaxCapacity": 20})
    configuration = {**_TRACKING["TargetTrackingScalingPolicyConfiguration"], "TargetValue": 30.0}
    autoscaling.add_response(
        "put_scaling_policy",
        {"PolicyARN": "arn"},
        {
            **identity,
            "PolicyName": "backlog",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": configuration,
        },
    )
    ecs.add_response("update_service", {}, {"cluster": "shop", "service": "orders", "desiredCount": 15})
    canned.service(15, 2, 13)
    canned.scaling(1, 20)

    words = ("--max", "20", "--desired", "15", "--latency", "60", "--processing", "2")
    ran = scene.run("scale", "--service", "shop/orders", *words, "--output", "json")

    assert ran.code == ExitCode.OK, ran.stderr
    assert [change["setting"] for change in ran.last["changes"]] == ["max", "target", "desired"]
    assert ran.last["desired"] == 15
    assert "max 10 → 20" in ran.stderr


def test_a_dry_run_shows_the_change_and_makes_none(scene: Scene, canned: _Canned) -> None:
    canned.service(2, 2)
    canned.scaling()

    ran = scene.run("scale", "--service", "shop/orders", "--min", "3", "--dry-run", "--output", "json")

    assert ran.code == ExitCode.OK
    assert ran.last["changes"] == [{"setting": "min", "before": 1, "after": 3}]
    assert ran.last["min"] == 1


@pytest.mark.parametrize(
    ("scaling", "words", "target"),
    [
        ({}, (), 30),
        ({"headroom": 0}, (), 30),
        ({"headroom": 0.25}, (), 22),
        ({"headroom": 0.25}, ("--headroom", "0"), 30),
        ({}, ("--headroom", "0.25"), 22),
    ],
)
def test_the_target_is_latency_over_processing_less_the_headroom_of_the_pattern_or_the_one_asked_for(
    scene: Scene, canned: _Canned, scaling: dict[str, float], words: tuple[str, ...], target: int
) -> None:
    _pattern(scene, **scaling)
    canned.service(2, 2)
    canned.scaling()

    asked = ("--latency", "60", "--processing", "2", *words)
    ran = scene.run("--stack", "dev", "scale", "orders", *asked, "--dry-run", "--output", "json")

    assert ran.code == ExitCode.OK, ran.stderr
    assert ran.last["changes"] == [{"setting": "target", "before": 10.0, "after": target}]


def test_a_refusal_leaves_everything_and_exits_2(scene: Scene, canned: _Canned) -> None:
    canned.service(2, 2)
    canned.scaling()

    ran = scene.run("scale", "--service", "shop/orders", "--desired", "50")

    assert ran.code == ExitCode.USAGE
    assert "1..10" in ran.stderr
    assert ran.stdout == ""


def test_when_a_later_step_fails_it_says_what_was_set_before(scene: Scene, canned: _Canned) -> None:
    canned.service(2, 2)
    canned.scaling()
    canned.scripts["application-autoscaling"].add_response("register_scalable_target", {})
    canned.scripts["ecs"].add_client_error("update_service", "AccessDeniedException", "not allowed", 403)

    ran = scene.run("scale", "--service", "shop/orders", "--max", "20", "--desired", "15")

    assert ran.code == ExitCode.ERROR
    assert "the bounds had been set" in ran.stderr


def test_waiting_ends_when_as_many_run_as_are_desired(scene: Scene, canned: _Canned, monkeypatch: Any) -> None:
    monkeypatch.setattr("threading.Event.wait", lambda self, timeout=None: self.is_set())
    canned.service(3, 1)
    canned.scaling()
    for running, pending in ((1, 2), (2, 1), (3, 0)):
        canned.service(3, running, pending)
    canned.service(3, 3)
    canned.scaling()

    ran = scene.run("scale", "--service", "shop/orders", "--wait", "--output", "json")

    assert ran.code == ExitCode.OK, ran.stderr
    assert ran.last["steady"] is True
    assert "1 of 3" in ran.stderr


class _Clock:
    """Time that passes while somebody waits, and only then: so many looks fit into a timeout, on any machine."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def wait(self, event: threading.Event, timeout: float | None = None) -> bool:
        self._now += timeout or 0.0
        return event.is_set()


def test_waiting_in_vain_is_told_with_exit_3(scene: Scene, canned: _Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    monkeypatch.setattr("ops.actions.scale.wait.time", clock)
    monkeypatch.setattr("threading.Event.wait", lambda self, timeout=None: clock.wait(self, timeout))
    canned.service(3, 1)
    canned.scaling()
    canned.service(3, 1)
    canned.service(3, 1)
    canned.service(3, 1)
    canned.scaling()

    ran = scene.run("scale", "--service", "shop/orders", "--wait", "--timeout", "2", "--output", "json")

    assert ran.code == ExitCode.PARTLY
    assert ran.last["steady"] is False


def test_a_service_that_does_not_exist(scene: Scene, canned: _Canned) -> None:
    canned.scripts["ecs"].add_response("describe_services", {"services": []})

    ran = scene.run("scale", "--service", "shop/orders")

    assert ran.code == ExitCode.ERROR
    assert "cluster shop has no service orders" in ran.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("orders", "--service", "shop/orders"),
        ("--service", "orders"),
        ("--service", "shop/orders", "--pause", "--resume"),
        ("--service", "shop/orders", "--wait", "--timeout", "0"),
    ],
)
def test_wrong_command_lines(scene: Scene, words: tuple[str, ...]) -> None:
    assert scene.run("scale", *words).code == ExitCode.USAGE


def test_status_shows_every_pattern_and_marks_what_cannot_be_read(scene: Scene, canned: _Canned) -> None:
    _pattern(scene)
    dlq = scene.queue("orders-dlq")
    scene.fill(dlq, ["poison"])
    missing = scene.queue_ref(dlq, holds="messages") | {"url": dlq.replace("orders-dlq", "gone"), "name": "gone"}
    cloudwatch = scene.account.client("cloudwatch")
    for name, threshold in (("deep", 1.0), ("calm", 1.0)):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="test",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",  # no evaluation takes the state away that is set here
        )
    cloudwatch.set_alarm_state(AlarmName="deep", StateValue="ALARM", StateReason="test")
    scene.publish_pattern(
        "payments",
        {"dead_letter_queues": [scene.queue_ref(dlq, holds="messages"), missing], "alarms": ["deep", "calm"]},
    )
    canned.service(4, 4)
    canned.scripts["application-autoscaling"].add_response("describe_scalable_targets", {"ScalableTargets": []})

    ran = scene.run("--stack", "dev", "status", "--output", "json")

    orders, payments = json.loads(ran.stdout)
    assert ran.code == ExitCode.PARTLY
    assert (orders["visible"], orders["in_flight"], orders["running"], orders["desired"]) == (1, 1, 4, 4)
    assert (orders["min"], orders["max"]) == (0, 10)
    assert payments["dead_letters"] == {"orders-dlq": 1, "gone": None}
    assert payments["alarms"] == ["deep"]
    assert "gone: the queue does not exist" in ran.stderr


def test_status_of_one_pattern_as_a_table(scene: Scene, canned: _Canned) -> None:
    _pattern(scene)
    canned.service(4, 3, 1)
    canned.scripts["application-autoscaling"].add_client_error("describe_scalable_targets", "AccessDenied", "no", 403)

    ran = scene.run("status", "orders", "--stack", "dev")

    header, row = ran.stdout.splitlines()
    assert ran.code == ExitCode.PARTLY
    assert header.split()[:2] == ["name", "pattern"]
    assert "3/4 (+1 starting)" in row
    assert row.split()[-2] == "?"
    assert "scaling bounds" in ran.stderr


def test_status_needs_a_stack_that_published_something(scene: Scene) -> None:
    without = scene.run("status")
    empty = scene.run("status", "--stack", "nowhere")
    _pattern(scene)
    wrong = scene.run("status", "ordrs", "--stack", "dev")

    assert (without.code, empty.code, wrong.code) == (ExitCode.USAGE, ExitCode.ERROR, ExitCode.USAGE)
    assert "EDA_STACK" in without.stderr
    assert "/eda/nowhere/patterns" in empty.stderr
    assert "its patterns: orders" in wrong.stderr
