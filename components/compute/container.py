"""What runs in a task: the image, its configuration, and the container definition that ECS reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.core.validation import Check, Range, Rule

__all__ = ["CONTAINER_RULES", "ContainerArgs", "ContainerImage", "container_definition"]

MAX_STOP_TIMEOUT_SECONDS = 120
"""Fargate's maximum (ECS developer guide, container definition parameter ``stopTimeout``)."""

# account, region, repository of an Amazon ECR image (ECR user guide, "Amazon ECR private registries")
_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")


@dataclass(frozen=True, kw_only=True)
class ContainerImage:
    """An image and the private ECR repository it is pulled from.

    Attributes:
        uri: with a tag or, better, a digest.
        repository_arn: default None: taken from `uri` where that is known and names Amazon ECR; an image elsewhere
            needs no permission to be pulled.
    """

    uri: pulumi.Input[str]
    repository_arn: pulumi.Input[str] | None = None

    def repository(self, partition: pulumi.Input[str]) -> pulumi.Input[str] | None:
        """The ARN of the repository that the execution role must read; None for an image outside private ECR."""
        if self.repository_arn is not None or not isinstance(self.uri, str):
            return self.repository_arn
        if not (match := _ECR.match(self.uri)):
            return None
        account, region, repository = match.groups()
        return pulumi.Output.concat("arn:", partition, f":ecr:{region}:{account}:repository/{repository}")


@dataclass(frozen=True, kw_only=True)
class ContainerArgs:
    """The container of a task.

    Attributes:
        image: a `ContainerImage`, or its URI as text. (A URI that is an Output cannot be looked at: wrap it in a
            `ContainerImage` with its `repository_arn`.)
        name: 1 to 255 letters, digits, hyphens, underscores; default ``worker``. Overrides of a task name it.
        command: replaces the image's CMD; default None, the image's own.
        entry_point: replaces the image's ENTRYPOINT; default None, the image's own.
        environment: variables, in clear text in the task definition; default none.
        secrets: variable → ARN of a Secrets Manager secret, with ``:json-key::`` for one of its fields; default none.
        parameters: variable → ARN of an SSM parameter; default none.
        secret_key_arns: customer-managed keys that `secrets` or `parameters` are encrypted with; default none.
        stop_timeout_seconds: from SIGTERM to SIGKILL, 2 to 120; default 120, so that the work in hand can end. Spot
            gives a task 120 seconds, too.
        readonly_root_filesystem: default True. A handler that writes files needs False.
        user: ``uid[:gid]`` or a name; default None, the image's own.
        port: TCP port that it listens on, 1 to 65,535; default None, it listens on none.
    """

    image: ContainerImage | str
    name: str = "worker"
    command: Sequence[str] | None = None
    entry_point: Sequence[str] | None = None
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    parameters: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secret_key_arns: Sequence[pulumi.Input[str]] = ()
    stop_timeout_seconds: int = MAX_STOP_TIMEOUT_SECONDS
    readonly_root_filesystem: bool = True
    user: str | None = None
    port: int | None = None

    @property
    def container_image(self) -> ContainerImage:
        return self.image if isinstance(self.image, ContainerImage) else ContainerImage(uri=self.image)


def _named_twice(args: ContainerArgs) -> list[str]:
    names = [*args.environment, *args.secrets, *args.parameters]
    return sorted({name for name in names if names.count(name) > 1})


CONTAINER_RULES: tuple[Rule, ...] = (
    Range("stop_timeout_seconds", 2, MAX_STOP_TIMEOUT_SECONDS, "seconds"),
    Range("port", 1, 65_535),
    Check(
        ("name",),
        lambda args: not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", args.name),
        lambda args: f"container name is {args.name!r}; allowed are 1 to 255 letters, digits, hyphens and underscores",
    ),
    Check(
        ("image",),
        lambda args: args.container_image.uri == "",
        "image is empty; name one with its tag or digest, e.g. 'public.ecr.aws/docker/library/python:3.13-slim'",
    ),
    Check(
        ("environment", "secrets", "parameters"),
        lambda args: bool(_named_twice(args)),
        lambda args: (
            f"{', '.join(_named_twice(args))}: set more than once in environment, secrets and parameters; keep one"
        ),
    ),
)


def container_definition(
    args: ContainerArgs, *, log_group: pulumi.Input[str], region: pulumi.Input[str], stream_prefix: str
) -> dict[str, Any]:
    """The container definition as RegisterTaskDefinition takes it, Outputs still inside.

    Lists are sorted by name: ECS returns them in its own order, and an unsorted one is a new revision on each deploy.
    What is unset is left out for the same reason.
    """
    values = {**args.secrets, **args.parameters}
    definition: dict[str, Any] = {
        "name": args.name,
        "image": args.container_image.uri,
        "essential": True,
        "command": list(args.command) if args.command is not None else None,
        "entryPoint": list(args.entry_point) if args.entry_point is not None else None,
        "environment": [{"name": name, "value": args.environment[name]} for name in sorted(args.environment)],
        "secrets": [{"name": name, "valueFrom": values[name]} for name in sorted(values)] or None,
        # With awsvpc both ports are the same; ECS returns both, and an unset one would be a difference on each deploy.
        "portMappings": [{"containerPort": args.port, "hostPort": args.port, "protocol": "tcp"}] if args.port else None,
        "stopTimeout": args.stop_timeout_seconds,
        # PID 1 of the image need not forward SIGTERM or reap children: this init does.
        "linuxParameters": {"initProcessEnabled": True},
        "readonlyRootFilesystem": args.readonly_root_filesystem,
        "user": args.user,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": stream_prefix,
            },
        },
    }
    return {key: value for key, value in definition.items() if value is not None}
