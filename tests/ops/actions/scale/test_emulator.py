"""`ops scale` on the embedded AWS, whose Application Auto Scaling answers for real."""

from __future__ import annotations

from typing import Any

import pytest

from ops.exit_codes import ExitCode
from tests.ops.scene import Scene

_IDENTITY: Any = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/shop/orders",
    "ScalableDimension": "ecs:service:DesiredCount",
}
_METRIC = {"Namespace": "AWS/SQS", "MetricName": "Backlog", "Statistic": "Average", "Dimensions": []}


@pytest.fixture
def service(scene: Scene) -> Scene:
    """A service without tasks, bounds 0 to 10, and a backlog target of 10."""
    ecs = scene.account.client("ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="orders", containerDefinitions=[{"name": "worker", "image": "worker"}])
    ecs.create_service(cluster="shop", serviceName="orders", taskDefinition="orders", desiredCount=0)
    autoscaling = scene.account.client("application-autoscaling")
    autoscaling.register_scalable_target(**_IDENTITY, MinCapacity=0, MaxCapacity=10)
    autoscaling.put_scaling_policy(
        **_IDENTITY,
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10.0,
            "CustomizedMetricSpecification": _METRIC,
            "ScaleInCooldown": 120,
            "ScaleOutCooldown": 15,
        },
    )
    return scene


def _scale(scene: Scene, *words: str) -> dict[str, Any]:
    ran = scene.run("scale", "--service", "shop/orders", *words, "--output", "json")
    assert ran.code == ExitCode.OK, ran.stderr
    return ran.last


def test_bounds_target_and_pause_are_really_set(service: Scene) -> None:
    before = _scale(service)
    _scale(service, "--max", "20", "--latency", "60", "--processing", "2", "--pause")
    after = _scale(service)

    assert (before["min"], before["max"], before["target"], before["paused"]) == (0, 10, 10.0, False)
    assert (after["min"], after["max"], after["target"], after["paused"]) == (0, 20, 30.0, True)
    policies = service.account.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs")
    configuration = policies["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"]
    assert (configuration["ScaleInCooldown"], configuration["ScaleOutCooldown"]) == (120, 15)
    assert configuration["CustomizedMetricSpecification"]["MetricName"] == "Backlog"
    assert _scale(service, "--resume")["paused"] is False


def test_a_desired_count_over_the_maximum_is_refused_and_nothing_changes(service: Scene) -> None:
    ran = service.run("scale", "--service", "shop/orders", "--desired", "50")

    assert ran.code == ExitCode.USAGE
    assert "0..10" in ran.stderr
    assert _scale(service)["desired"] == 0


def test_waiting_on_a_steady_service_ends_at_once(service: Scene) -> None:
    assert _scale(service, "--wait", "--timeout", "5")["steady"] is True
