"""Deploys a service again with another environment, as a new image with a fixed handler would be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from contracts.manifest import ServiceRef

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

__all__ = ["environment_of", "old_tasks", "redeploy"]

_COPIED = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
    "ephemeralStorage",
)


def environment_of(ecs: ECSClient, service: ServiceRef) -> dict[str, str]:
    """The environment of the service's first container."""
    container = _definition(ecs, service)["containerDefinitions"][0]
    return {item["name"]: item["value"] for item in container.get("environment", [])}


def redeploy(ecs: ECSClient, service: ServiceRef, changes: Mapping[str, str]) -> str:
    """Register the service's task definition with `changes` in its environment and deploy it.

    Returns:
        The ARN of the new task definition.
    """
    definition = _definition(ecs, service)
    container = definition["containerDefinitions"][0]
    environment = {item["name"]: item["value"] for item in container.get("environment", [])} | dict(changes)
    container["environment"] = [{"name": name, "value": value} for name, value in environment.items()]
    copied: dict[str, Any] = {key: definition[key] for key in _COPIED if key in definition}
    arn: str = ecs.register_task_definition(**copied)["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=service.cluster, service=service.name, taskDefinition=arn)
    return arn


def old_tasks(ecs: ECSClient, service: ServiceRef, task_definition: str) -> int:
    """How many tasks of the service still run something else than `task_definition`."""
    arns = ecs.list_tasks(cluster=service.cluster, serviceName=service.name)["taskArns"]
    if not arns:
        return 0
    tasks = ecs.describe_tasks(cluster=service.cluster, tasks=arns)["tasks"]
    return sum(task["lastStatus"] != "STOPPED" and task["taskDefinitionArn"] != task_definition for task in tasks)


def _definition(ecs: ECSClient, service: ServiceRef) -> Any:
    (found,) = ecs.describe_services(cluster=service.cluster, services=[service.name])["services"]
    return ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
