"""Amazon ECS on Fargate: clusters, task definitions, services."""

from __future__ import annotations

import json
from typing import Any

from ops.local.deployer.registry import Created, Request, creates
from ops.local.errors import LocalError

__all__ = ["create_cluster", "create_cluster_capacity_providers", "create_service", "create_task_definition"]


@creates("aws:ecs/cluster:Cluster", "configuration", "name", "serviceConnectDefaults", "settings")
def create_cluster(request: Request) -> Created:
    name = request.physical_name()
    cluster = request.call(
        "ecs", "create_cluster", ClusterName=name, **request.pick("configuration", "serviceConnectDefaults", "settings")
    )["cluster"]
    return Created(cluster["clusterArn"], {"name": name, "arn": cluster["clusterArn"]})


@creates(
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
    "capacityProviders",
    "clusterName",
    "defaultCapacityProviderStrategies",
)
def create_cluster_capacity_providers(request: Request) -> Created:
    request.call(
        "ecs",
        "put_cluster_capacity_providers",
        Cluster=request["clusterName"],
        CapacityProviders=request.get("capacityProviders", []),
        DefaultCapacityProviderStrategy=request.get("defaultCapacityProviderStrategies", []),
    )
    return Created(request["clusterName"], {})


@creates(
    "aws:ecs/taskDefinition:TaskDefinition",
    "containerDefinitions",
    "cpu",
    "ephemeralStorage",
    "executionRoleArn",
    "family",
    "memory",
    "networkMode",
    "requiresCompatibilities",
    "runtimePlatform",
    "taskRoleArn",
    "trackLatest",  # concerns the provider's refresh only
    "volumes",
)
def create_task_definition(request: Request) -> Created:
    try:
        containers = json.loads(request["containerDefinitions"])
    except ValueError as error:
        raise LocalError(f"containerDefinitions: not JSON ({error})") from error
    definition = request.call(
        "ecs",
        "register_task_definition",
        ContainerDefinitions=containers,
        **request.pick(
            "cpu",
            "ephemeralStorage",
            "executionRoleArn",
            "family",
            "memory",
            "networkMode",
            "requiresCompatibilities",
            "runtimePlatform",
            "taskRoleArn",
            "volumes",
        ),
    )["taskDefinition"]
    arn = definition["taskDefinitionArn"]
    return Created(
        request["family"],
        {"arn": arn, "arnWithoutRevision": arn.rsplit(":", 1)[0], "revision": definition["revision"]},
    )


@creates(
    "aws:ecs/service:Service",
    "alarms",
    "availabilityZoneRebalancing",
    "capacityProviderStrategies",
    "cluster",
    "deploymentCircuitBreaker",
    "deploymentController",
    "deploymentMaximumPercent",
    "deploymentMinimumHealthyPercent",
    "desiredCount",
    "enableEcsManagedTags",
    "enableExecuteCommand",
    "forceNewDeployment",  # concerns updates only
    "healthCheckGracePeriodSeconds",
    "launchType",
    "loadBalancers",
    "name",
    "networkConfiguration",
    "platformVersion",
    "propagateTags",
    "schedulingStrategy",
    "serviceRegistries",
    "sigintRollback",  # concerns the provider's own wait
    "taskDefinition",
    "waitForSteadyState",
)
def create_service(request: Request) -> Created:
    name = request.physical_name()
    service = request.call(
        "ecs",
        "create_service",
        ServiceName=name,
        CapacityProviderStrategy=request.get("capacityProviderStrategies"),
        DeploymentConfiguration=_deployment(request),
        NetworkConfiguration=_network(request),
        ServiceRegistries=_listed(request.get("serviceRegistries")),
        **request.pick(
            "availabilityZoneRebalancing",
            "cluster",
            "deploymentController",
            "desiredCount",
            "enableExecuteCommand",
            "healthCheckGracePeriodSeconds",
            "launchType",
            "loadBalancers",
            "platformVersion",
            "propagateTags",
            "schedulingStrategy",
            "taskDefinition",
            enableECSManagedTags="enableEcsManagedTags",
        ),
    )["service"]
    if request.get("waitForSteadyState"):
        request.client("ecs").get_waiter("services_stable").wait(
            cluster=request["cluster"], services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    return Created(service["serviceArn"], {"name": name, "arn": service["serviceArn"]})


def _listed(block: Any) -> list[Any] | None:
    """The provider has a single block where the API has a list."""
    return None if block is None else block if isinstance(block, list) else [block]


def _deployment(request: Request) -> dict[str, Any]:
    alarms = request.get("alarms")
    return request.pick(
        "deploymentCircuitBreaker",
        maximumPercent="deploymentMaximumPercent",
        minimumHealthyPercent="deploymentMinimumHealthyPercent",
    ) | {"alarms": alarms}


def _network(request: Request) -> dict[str, Any] | None:
    network = request.get("networkConfiguration")
    if network is None:
        return None
    public = "ENABLED" if network.get("assignPublicIp") else "DISABLED"
    return {"awsvpcConfiguration": {**network, "assignPublicIp": public}}
