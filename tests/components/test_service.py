from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.compute.cluster import Cluster, ClusterArgs
from components.compute.container import ContainerArgs
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import TaskDefinition, TaskDefinitionArgs
from components.core.errors import InvalidArgsError
from components.network import Network, NetworkArgs
from tests.recorder import ACCOUNT, REGION, Recorder, policy_of, record


def service(*, preview: bool = False, seen: dict[str, Any] | None = None, **options: Any) -> Recorder:
    def program() -> None:
        container = ContainerArgs(image="public.ecr.aws/docker/library/python:3.13-slim")
        made = Service(
            "orders",
            ServiceArgs(
                cluster=Cluster("cluster"),
                task_definition=TaskDefinition("orders", TaskDefinitionArgs(container=container)),
                network=Network("network", NetworkArgs(vpc_id="vpc-1", subnet_ids=["subnet-1", "subnet-2"])),
                **options,
            ),
        )
        if seen is not None:
            pulumi.Output.all(
                arn=made.arn, name=made.service_name, cluster=made.cluster_name, resource_id=made.resource_id
            ).apply(seen.update)

    return record(program, preview=preview)


def inputs(recorder: Recorder) -> dict[str, Any]:
    return dict(recorder.one("aws:ecs/service:Service", "orders").inputs)


def test_the_defaults_roll_back_keep_capacity_and_open_nothing():
    assert inputs(service()) == {
        "capacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}],
        "cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/cluster-0a1b2c3",
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "deploymentMaximumPercent": 200,
        "deploymentMinimumHealthyPercent": 100,
        "desiredCount": 1,
        "enableEcsManagedTags": True,
        "enableExecuteCommand": False,
        "forceNewDeployment": True,
        "networkConfiguration": {
            "assignPublicIp": False,
            "securityGroups": ["network-tasks-0a1b2c3"],
            "subnets": ["subnet-1", "subnet-2"],
        },
        "platformVersion": "LATEST",
        "propagateTags": "SERVICE",
        "taskDefinition": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/orders-0a1b2c3:1",
        "waitForSteadyState": False,
    }


@pytest.mark.parametrize(
    ("options", "strategies"),
    [
        ({"spot": True}, [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]),
        (
            {"spot": True, "on_demand_base": 2},
            [
                {"base": 2, "capacityProvider": "FARGATE", "weight": 0},
                {"capacityProvider": "FARGATE_SPOT", "weight": 1},
            ],
        ),
    ],
)
def test_spot_has_a_base_on_demand(options: dict[str, Any], strategies: list[dict[str, Any]]):
    found = inputs(service(**options))
    assert found["capacityProviderStrategies"] == strategies
    assert "launchType" not in found


def test_the_first_deploy_starts_at_the_given_count_and_later_ones_keep_what_is_there(monkeypatch: pytest.MonkeyPatch):
    ignored: list[Any] = []
    original = Service.child

    def spying(self: Service, **options: Any) -> pulumi.ResourceOptions:
        ignored.append(options.get("ignore_changes"))
        return original(self, **options)

    monkeypatch.setattr(Service, "child", spying)
    assert inputs(service(desired_count=0))["desiredCount"] == 0
    assert ["desired_count"] in ignored  # the SDK writes it desiredCount


def test_alarms_can_roll_a_deployment_back():
    assert inputs(service(rollback_alarm_names=["errors"]))["alarms"] == {
        "alarmNames": ["errors"],
        "enable": True,
        "rollback": True,
    }


def test_its_tasks_may_protect_themselves_and_no_others():
    policy = service().one("RolePolicy", "orders-protection-policy").inputs
    assert policy["role"] == "orders-task-role-0a1b2c3"
    assert policy_of(policy["policy"]) == [
        {
            "Effect": "Allow",
            "Action": ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"],
            "Resource": [f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/cluster-0a1b2c3/*"],
        }
    ]


def test_autoscaling_knows_it_by_the_names_of_cluster_and_service():
    seen: dict[str, Any] = {}
    service(seen=seen)
    assert seen == {
        "arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/cluster/orders-0a1b2c3",
        "name": "orders-0a1b2c3",
        "cluster": "cluster-0a1b2c3",
        "resource_id": "service/cluster-0a1b2c3/orders-0a1b2c3",
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"desired_count": -1}, "desired_count is -1; allowed is a whole number from 0 to 5,000 tasks"),
        (
            {"on_demand_base": 1},
            "on_demand_base is 1 without spot: all tasks are on demand then; set spot=True or leave it out",
        ),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        service(**options)
    assert str(caught.value) == f"Service 'orders': {problem}"


def test_it_runs_with_unknown_outputs():
    assert service(preview=True, spot=True, on_demand_base=1).names("aws:ecs/service:Service") == ["orders"]


@pytest.mark.parametrize(("insights", "value"), [(False, "disabled"), (True, "enabled")])
def test_a_cluster_has_fargate_and_spot_and_no_paid_metrics_unless_asked(insights: bool, value: str):
    recorder = record(lambda: Cluster("cluster", ClusterArgs(container_insights=insights)))
    assert recorder.children() == {
        "aws:ecs/cluster:Cluster": 1,
        "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": 1,
    }
    assert recorder.one("aws:ecs/cluster:Cluster").inputs == {
        "settings": [{"name": "containerInsights", "value": value}]
    }
    assert recorder.one("ClusterCapacityProviders", "cluster-capacity").inputs == {
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "clusterName": "cluster-0a1b2c3",
        "defaultCapacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}],
    }
