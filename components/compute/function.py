"""Function: a Lambda function of this project's own code, with its role and its log group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.compute.task_definition import LOG_RETENTION_DAYS
from components.core.base import Component
from components.core.iam import Statement
from components.core.role import create_service_role
from components.core.validation import OneOf, Range, check

__all__ = ["LAMBDA_SERVICE", "RUNTIME", "Function", "FunctionArgs", "function_code"]

LAMBDA_SERVICE = "lambda.amazonaws.com"
RUNTIME = "python3.13"
_ROOT = Path(__file__).parents[2]
_PACKAGES = ("contracts", "functions")


def function_code() -> pulumi.Archive:
    """The packages `functions` and `contracts`. Lambda's Python runtime has the rest (boto3), so nothing is built.

    File by file: a folder would bring its ``__pycache__``, and be another archive on each machine.
    """
    files = sorted(path for package in _PACKAGES for path in (_ROOT / package).glob("*.py"))
    return pulumi.AssetArchive({path.relative_to(_ROOT).as_posix(): pulumi.FileAsset(str(path)) for path in files})


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """Arguments of `Function`.

    Attributes:
        handler: ``module.function`` in the package `functions`, e.g. ``functions.track_job.handle``.
        description: shown in the console.
        environment: variables; default none.
        statements: what it may do beyond writing its log; default nothing.
        timeout_seconds: 1 to 900; default 30.
        memory_mib: 128 to 10,240, with the share of a processor that goes with it; default 256.
        reserved_concurrency: as many calls at the same time, and no more, taken from the account's own limit; default
            None, the account's limit is shared.
        log_retention_days: one of `LOG_RETENTION_DAYS`; default 30.
    """

    handler: str
    description: str
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    statements: Sequence[Statement] = ()
    timeout_seconds: int = 30
    memory_mib: int = 256
    reserved_concurrency: int | None = None
    log_retention_days: int = 30


_RULES = (
    Range("timeout_seconds", 1, 900, "seconds"),
    Range("memory_mib", 128, 10_240, "MiB"),
    Range("reserved_concurrency", 1, 1_000, "calls"),
    OneOf("log_retention_days", LOG_RETENTION_DAYS),
)


class Function(Component):
    """A function on Graviton whose role may do what it needs and nothing else.

    Attributes:
        arn, function_name: of the function.
        timeout_seconds: in force.
        log_group_name: of its output.
        function, role_policy: the raw resources.
    """

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"Function {name!r}", args, _RULES)
        self.timeout_seconds = args.timeout_seconds
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs", retention_in_days=args.log_retention_days, opts=self.child()
        )
        self.log_group_name: pulumi.Output[str] = log_group.name
        writing = Statement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[pulumi.Output.concat(log_group.arn, ":*")],
        )
        role, self.role_policy = create_service_role(
            self,
            f"{name}-role",
            service=LAMBDA_SERVICE,
            statements=[writing, *args.statements],
            description=f"What the function {name} may do",
        )
        self.function = aws.lambda_.Function(
            name,
            description=args.description,
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=args.handler,
            code=function_code(),
            role=role.arn,
            timeout=args.timeout_seconds,
            memory_size=args.memory_mib,
            reserved_concurrent_executions=args.reserved_concurrency,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=args.environment) if args.environment else None,
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="JSON", log_group=self.log_group_name),
            # A call before the role may do anything fails.
            opts=self.child(depends_on=[self.role_policy] if self.role_policy else None),
        )
        self.arn: pulumi.Output[str] = self.function.arn
        self.function_name: pulumi.Output[str] = self.function.name
        self.publish({"arn": self.arn, "function_name": self.function_name})

    def invoke(self) -> list[Statement]:
        """What a caller's role needs."""
        return [Statement(actions=["lambda:InvokeFunction"], resources=[self.arn])]
