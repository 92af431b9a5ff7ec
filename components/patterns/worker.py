"""What every pattern that runs the user's handler has in common: its arguments, its variables, its task, its service.

A pattern adds what differs: the variables of its source, the grants that its source needs, its command.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, overload

import pulumi

from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.ingress import LoadBalancerTarget, RegistryEntry
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import Architecture, TaskDefinition, TaskDefinitionArgs
from components.core.base import Component
from components.core.iam import Statement
from components.core.validation import Check, Range, Rule
from components.encryption import EncryptionKey
from components.network import Network
from components.stores.idempotency_table import IdempotencyTable, IdempotencyTableArgs
from contracts import environment as env

__all__ = [
    "IDEMPOTENCY_RULE",
    "OWNED_VARIABLES",
    "HandlerArgs",
    "WorkerArgs",
    "create_idempotency_table",
    "create_service",
    "create_task_definition",
    "handler_task",
    "owned_variables",
]


@dataclass(frozen=True, kw_only=True)
class HandlerArgs:
    """Arguments of every pattern that runs a handler.

    Attributes:
        network, cluster: where it runs.
        container: the image with the worker and the handler; its environment is completed with what the worker needs,
            and its command is the pattern's unless it has one.
        function: ``module:function`` of the handler; default None: the image sets HANDLER itself.
        cpu, memory_mib, architecture, log_retention_days: of the task; defaults of `TaskDefinitionArgs`.
        log_level: DEBUG, INFO, WARNING or ERROR; default INFO.
        statements: what the handler may do; default nothing beyond what its pattern needs.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
    """

    network: Network
    cluster: Cluster
    container: ContainerArgs
    function: str | None = None
    cpu: int = 256
    memory_mib: int = 512
    architecture: Architecture = Architecture.X86_64
    log_retention_days: int = 30
    log_level: str = "INFO"
    statements: Sequence[Statement] = ()
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerArgs(HandlerArgs):
    """Arguments of every pattern whose handler runs in a service.

    Attributes:
        concurrency: what one task handles at a time, 1 to 100; default 1.
        check_schemas: refuses or dead-letters events that do not obey the JSON Schema of their kind; default True.
        spot, on_demand_base: see `ServiceArgs`.
        idempotency_expires_hours: how long a key is remembered, 1 to 8,760; default 24; None hands every copy to the
            handler and creates no table.
    """

    concurrency: int = 1
    check_schemas: bool = True
    spot: bool = False
    on_demand_base: int = 0
    idempotency_expires_hours: int | None = 24


IDEMPOTENCY_RULE = Range("idempotency_expires_hours", 1, 8_760, "hours")


def owned_variables(names: AbstractSet[str]) -> Rule:
    """The rule that the user's container sets none of these."""

    def taken(args: Any) -> list[str]:
        container = args.container
        return sorted(names & {*container.environment, *container.secrets, *container.parameters})

    return Check(
        ("container",),
        lambda args: bool(taken(args)),
        lambda args: f"container sets {', '.join(taken(args))}, which the pattern owns; remove it",
    )


OWNED_VARIABLES = owned_variables({getattr(env, constant) for constant in env.__all__})


@overload
def create_idempotency_table(
    owner: Component, expires_hours: int, encryption_key: EncryptionKey | None
) -> IdempotencyTable: ...
@overload
def create_idempotency_table(
    owner: Component, expires_hours: int | None, encryption_key: EncryptionKey | None
) -> IdempotencyTable | None: ...
def create_idempotency_table(
    owner: Component, expires_hours: int | None, encryption_key: EncryptionKey | None
) -> IdempotencyTable | None:
    """The table of the handler's keys; None where they are not remembered."""
    if expires_hours is None:
        return None
    return IdempotencyTable(
        f"{owner.name}-idempotency", IdempotencyTableArgs(encryption_key=encryption_key), owner.child()
    )


def handler_task(
    pattern: str,
    args: HandlerArgs,
    *,
    command: str | None,
    variables: Mapping[str, pulumi.Input[str]],
    grants: Sequence[Statement],
    table: IdempotencyTable | None,
    expires_hours: int | None,
    container: ContainerArgs | None = None,
) -> TaskDefinitionArgs:
    """The task that runs the handler.

    Args:
        command: of the worker; None leaves it to the image.
        variables: of the source, on top of those of every worker.
        grants: of the source; the idempotency table's and the handler's own are added.
        table, expires_hours: of the handler's keys.
        container: the one of `args` with what only this pattern adds (a secret, a port); default that of `args`.
    """
    container = container or args.container
    common: dict[str, pulumi.Input[str]] = {
        env.STACK: pulumi.get_stack(),
        env.PATTERN: pattern,
        env.LOG_LEVEL: args.log_level,
        env.STOP_TIMEOUT_SECONDS: str(container.stop_timeout_seconds),
    }
    if args.function:
        common[env.HANDLER] = args.function
    if table and expires_hours:
        common[env.IDEMPOTENCY_TABLE] = table.table_name
        common[env.IDEMPOTENCY_EXPIRES_SECONDS] = str(expires_hours * 3600)
    return TaskDefinitionArgs(
        container=dataclasses.replace(
            container,
            command=container.command or ([command] if command else None),
            environment={**container.environment, **common, **variables},
        ),
        cpu=args.cpu,
        memory_mib=args.memory_mib,
        architecture=args.architecture,
        log_retention_days=args.log_retention_days,
        statements=[*grants, *(table.remember() if table else []), *args.statements],
    )


def create_task_definition(
    owner: Component,
    args: WorkerArgs,
    *,
    table: IdempotencyTable | None,
    variables: Mapping[str, pulumi.Input[str]],
    grants: Sequence[Statement] = (),
    command: str | None = None,
    container: ContainerArgs | None = None,
) -> TaskDefinition:
    """The task definition of a worker; the arguments are those of `handler_task`."""
    definition = handler_task(
        owner.name,
        args,
        command=command,
        variables={
            env.CONCURRENCY: str(args.concurrency),
            env.CHECK_SCHEMAS: "true" if args.check_schemas else "false",
            **variables,
        },
        grants=grants,
        table=table,
        expires_hours=args.idempotency_expires_hours,
        container=container,
    )
    return TaskDefinition(owner.name, definition, owner.child())


def create_service(
    owner: Component,
    args: WorkerArgs,
    task_definition: TaskDefinition,
    *,
    desired_count: int,
    depends_on: Sequence[pulumi.Resource] | None = None,
    load_balancer_targets: Sequence[LoadBalancerTarget] = (),
    registry_entry: RegistryEntry | None = None,
) -> Service:
    """The service of a worker.

    Args:
        desired_count: at the first deploy.
        depends_on: what must be there before a task starts.
        load_balancer_targets, registry_entry: who sends it requests; default nobody.
    """
    return Service(
        owner.name,
        ServiceArgs(
            cluster=args.cluster,
            task_definition=task_definition,
            network=args.network,
            desired_count=desired_count,
            spot=args.spot,
            on_demand_base=args.on_demand_base,
            load_balancer_targets=load_balancer_targets,
            registry_entry=registry_entry,
        ),
        owner.child(depends_on=depends_on),
    )
