"""Settings of a handler → the arguments of its pattern that are the same for all patterns; see `patterns.worker`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import pulumi

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs, ContainerImage
from components.compute.image import BuiltImage, BuiltImageArgs
from components.compute.task_definition import Architecture
from components.config.compute import CapacitySettings, HandlerSettings
from components.config.queue_worker import IdempotencySettings
from components.core.iam import Statement
from components.network import Network
from components.shared import Shared
from contracts.scaling import latency_from_zero_problem

__all__ = [
    "HandlerValues",
    "WorkerValues",
    "container_from",
    "handler_values",
    "permissions_from",
    "warn_from_zero",
    "worker_values",
]


class HandlerValues(TypedDict):
    """Arguments of a `HandlerArgs`, for ``**``."""

    network: Network
    cluster: Cluster
    container: ContainerArgs
    function: str | None
    cpu: int
    memory_mib: int
    architecture: Architecture
    log_retention_days: int
    log_level: str
    statements: Sequence[Statement]
    alarms: bool
    alarm_topic_arn: pulumi.Input[str] | None


class WorkerValues(HandlerValues):
    """Arguments of a `WorkerArgs`, for ``**``."""

    concurrency: int
    check_schemas: bool
    spot: bool
    on_demand_base: int
    idempotency_expires_hours: int | None


def handler_values(name: str, handler: HandlerSettings, shared: Shared) -> HandlerValues:
    return HandlerValues(
        network=shared.network,
        cluster=shared.cluster,
        container=container_from(name, handler, shared.pattern_opts),
        function=handler.function,
        cpu=handler.cpu,
        memory_mib=handler.memory_mib,
        architecture=handler.architecture,
        log_retention_days=handler.log_retention_days,
        log_level=handler.log_level,
        statements=permissions_from(handler),
        alarms=shared.alarms_enabled,
        alarm_topic_arn=shared.alarm_topic_arn,
    )


def worker_values(
    name: str, handler: HandlerSettings, capacity: CapacitySettings, idempotency: IdempotencySettings, shared: Shared
) -> WorkerValues:
    return WorkerValues(
        **handler_values(name, handler, shared),
        concurrency=handler.concurrency,
        check_schemas=handler.check_schemas,
        spot=capacity.spot,
        on_demand_base=capacity.on_demand_base,
        idempotency_expires_hours=idempotency.expires_hours if idempotency.enabled else None,
    )


def container_from(name: str, handler: HandlerSettings, opts: pulumi.ResourceOptions | None = None) -> ContainerArgs:
    """The container, its image built if the settings say so."""
    secrets = {key: arn for key, arn in handler.secrets.items() if ":secretsmanager:" in arn}
    return ContainerArgs(
        image=_image(name, handler, opts),
        command=handler.command,
        environment=handler.environment,
        secrets=secrets,
        parameters={key: arn for key, arn in handler.secrets.items() if key not in secrets},
        stop_timeout_seconds=handler.stop_timeout_seconds,
    )


def permissions_from(handler: HandlerSettings) -> list[Statement]:
    """What the handler may do beyond what its pattern needs."""
    return [Statement(actions=item.actions, resources=item.resources) for item in handler.permissions]


def warn_from_zero(name: str, min_tasks: int, acceptable_latency_seconds: float) -> None:
    """Warn in `pulumi up` of a latency that cannot be kept from zero."""
    if problem := latency_from_zero_problem(min_tasks, acceptable_latency_seconds):
        pulumi.log.warn(f"{name}: scaling: {problem}")


def _image(name: str, handler: HandlerSettings, opts: pulumi.ResourceOptions | None) -> ContainerImage:
    if handler.build is None:
        return ContainerImage(uri=handler.image or "")
    built = BuiltImage(
        f"{name}-image",
        BuiltImageArgs(
            context=handler.build.context,
            dockerfile=handler.build.dockerfile,
            architecture=handler.architecture,
        ),
        opts,
    )
    return built.container_image
