"""TaskDefinition: what a Fargate task is, with its two roles and its log group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from components.compute.capacity import capacity_problem
from components.compute.container import CONTAINER_RULES, ContainerArgs, container_definition
from components.core.base import Component
from components.core.iam import Statement
from components.core.naming import stack_name
from components.core.outputs import json_text
from components.core.place import place_of
from components.core.role import create_service_role
from components.core.validation import Check, OneOf, Range, check

__all__ = ["LOG_RETENTION_DAYS", "TASKS_SERVICE", "Architecture", "TaskDefinition", "TaskDefinitionArgs"]

TASKS_SERVICE = "ecs-tasks.amazonaws.com"

# fmt: off
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)
# fmt: on
"""CloudWatch Logs API, PutRetentionPolicy, ``retentionInDays``."""


class Architecture(StrEnum):
    """The processor of the task; the image must be built for it."""

    X86_64 = "X86_64"
    ARM64 = "ARM64"
    """Graviton: about 20 % cheaper."""


@dataclass(frozen=True, kw_only=True)
class TaskDefinitionArgs:
    """Arguments of `TaskDefinition`. Every change registers a new revision; running tasks keep theirs.

    Attributes:
        container: what runs.
        cpu: CPU units, 1,024 are a vCPU; default 256.
        memory_mib: MiB, one of those that Fargate has with `cpu` (`components.compute.capacity`); default 512.
        architecture: default X86_64.
        ephemeral_storage_gib: 21 to 200, billed; default None, the 20 GiB that are included.
        statements: what the container may do, as grants (``queue.consume()``); default nothing.
        log_retention_days: one of `LOG_RETENTION_DAYS`; default 30.
    """

    container: ContainerArgs
    cpu: int = 256
    memory_mib: int = 512
    architecture: Architecture = Architecture.X86_64
    ephemeral_storage_gib: int | None = None
    statements: Sequence[Statement] = ()
    log_retention_days: int = 30


_RULES = (
    Check(
        ("cpu", "memory_mib"),
        lambda args: capacity_problem(args.cpu, args.memory_mib) is not None,
        lambda args: str(capacity_problem(args.cpu, args.memory_mib)),
    ),
    OneOf("architecture", tuple(item.value for item in Architecture)),
    OneOf("log_retention_days", LOG_RETENTION_DAYS),
    Range("ephemeral_storage_gib", 21, 200, "GiB"),
)


class TaskDefinition(Component):
    """A Fargate task definition whose roles may do what it needs and nothing else.

    Attributes:
        arn: of this revision.
        family, family_arn: of the latest revision, whichever that is: for rules and schedules.
        container_name: which overrides name.
        stop_timeout_seconds: in force.
        execution_role_arn: pulls the image, writes the log, reads the secrets.
        task_role, task_role_arn: what the container itself may do.
        log_group_name: of the container's output.
        task_definition, log_group: the raw resources.
    """

    def __init__(self, name: str, args: TaskDefinitionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"TaskDefinition {name!r}", args.container, CONTAINER_RULES)
        check(f"TaskDefinition {name!r}", args, _RULES)
        self.container_name = args.container.name
        self.stop_timeout_seconds = args.container.stop_timeout_seconds
        self.family = stack_name(name).replace(".", "-")
        self.log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs", retention_in_days=args.log_retention_days, opts=self.child()
        )
        self.log_group_name: pulumi.Output[str] = self.log_group.name
        execution_role, execution_policy = create_service_role(
            self,
            f"{name}-execution-role",
            service=TASKS_SERVICE,
            statements=self._execution_statements(args.container),
            description=f"Starts tasks of {self.family}: image, log, secrets",
        )
        self.task_role, task_policy = create_service_role(
            self,
            f"{name}-task-role",
            service=TASKS_SERVICE,
            statements=args.statements,
            description=f"What the container of {self.family} may do",
        )
        self.execution_role_arn: pulumi.Output[str] = execution_role.arn
        self.task_role_arn: pulumi.Output[str] = self.task_role.arn
        self.task_definition = self._register(args, [item for item in (execution_policy, task_policy) if item])
        self.arn: pulumi.Output[str] = self.task_definition.arn
        self.family_arn: pulumi.Output[str] = self.task_definition.arn_without_revision
        self.publish(
            {
                "arn": self.arn,
                "family": self.family,
                "family_arn": self.family_arn,
                "container_name": self.container_name,
                "execution_role_arn": self.execution_role_arn,
                "task_role_arn": self.task_role_arn,
                "log_group_name": self.log_group_name,
            }
        )

    def _register(self, args: TaskDefinitionArgs, policies: Sequence[pulumi.Resource]) -> aws.ecs.TaskDefinition:
        region = place_of(self).region
        storage = args.ephemeral_storage_gib
        return aws.ecs.TaskDefinition(
            self.name,
            family=self.family,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(args.cpu),
            memory=str(args.memory_mib),
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                cpu_architecture=args.architecture, operating_system_family="LINUX"
            ),
            ephemeral_storage=aws.ecs.TaskDefinitionEphemeralStorageArgs(size_in_gib=storage) if storage else None,
            execution_role_arn=self.execution_role_arn,
            task_role_arn=self.task_role_arn,
            container_definitions=json_text(
                [
                    container_definition(
                        args.container, log_group=self.log_group_name, region=region, stream_prefix=self.name
                    )
                ]
            ),
            # A task that starts before its roles may do anything fails, and the circuit breaker counts it.
            opts=self.child(depends_on=policies),
        )

    def _execution_statements(self, container: ContainerArgs) -> list[Statement]:
        statements = [
            Statement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[pulumi.Output.concat(self.log_group.arn, ":*")],
            )
        ]
        partition = place_of(self).partition
        if (repository := container.container_image.repository(partition)) is not None:
            statements += _pull(repository)
        if container.secrets:
            secrets = [_without_json_key(container.secrets[name]) for name in sorted(container.secrets)]
            statements.append(Statement(actions=["secretsmanager:GetSecretValue"], resources=secrets))
        if container.parameters:
            parameters = [container.parameters[name] for name in sorted(container.parameters)]
            statements.append(Statement(actions=["ssm:GetParameters"], resources=parameters))
        if container.secret_key_arns:
            statements.append(Statement(actions=["kms:Decrypt"], resources=container.secret_key_arns))
        return statements


def _pull(repository_arn: pulumi.Input[str]) -> list[Statement]:
    return [
        Statement(
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=[repository_arn],
        ),
        Statement(
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],
            why_any_resource="the login belongs to the account: the action has no resource-level permissions",
        ),
    ]


def _without_json_key(secret: pulumi.Input[str]) -> pulumi.Output[str]:
    """``arn:aws:secretsmanager:region:account:secret:name:json-key:stage:version`` → the secret's own ARN."""
    return pulumi.Output.from_input(secret).apply(lambda arn: ":".join(arn.split(":")[:7]))
