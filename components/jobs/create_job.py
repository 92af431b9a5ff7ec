"""CreateJob: the function that records a job and runs its task, its URL, and the tick that heals what was left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.function import Function, FunctionArgs
from components.compute.task import Task
from components.core.base import Component
from components.core.iam import Statement
from components.core.validation import Range, check
from components.jobs.job_table import JobTable
from components.routers.minute_tick import minute_tick
from components.stores.queue import DeadLetterQueue
from contracts.job_functions import PATIENCE_SECONDS, TICK

__all__ = ["CreateJob", "CreateJobArgs"]

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class CreateJobArgs:
    """Arguments of `CreateJob`.

    Attributes:
        pattern: whose jobs.
        task: what a job runs.
        table: of the jobs.
        environment: of the function, without what is needed for the launch.
        dead_letter_queue: where a tick goes that EventBridge could not deliver.
        patience_seconds: how long a job may wait for a launch that succeeds, 60 to 86,400; default 3,600.
        url: whether the function has a URL, for signed requests only; default True.
        reserved_concurrency: see `FunctionArgs`; default None.
        log_retention_days: of the function; default 30.
    """

    pattern: str
    task: Task
    table: JobTable
    environment: Mapping[str, pulumi.Input[str]]
    dead_letter_queue: DeadLetterQueue
    patience_seconds: int = 3_600
    url: bool = True
    reserved_concurrency: int | None = None
    log_retention_days: int = 30


_RULES = (Range("patience_seconds", 60, 86_400, "seconds"),)


class CreateJob(Component):
    """Whoever may invoke the function, or its URL, may create jobs; nobody else.

    Attributes:
        function: the `Function`.
        url: None without one.
        tick: the raw rule that calls the function each minute.
    """

    def __init__(self, name: str, args: CreateJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"CreateJob {name!r}", args, _RULES)
        self.function = Function(
            name,
            FunctionArgs(
                handler="functions.create_job.handle",
                description=f"Creates the jobs of {args.pattern}",
                environment={
                    **args.environment,
                    **args.task.launch_environment(),
                    PATIENCE_SECONDS: str(args.patience_seconds),
                },
                statements=[*args.table.create(), *args.task.run(), *args.task.watch(), *args.task.stop()],
                timeout_seconds=_TIMEOUT_SECONDS,
                reserved_concurrency=args.reserved_concurrency,
                log_retention_days=args.log_retention_days,
            ),
            self.child(),
        )
        self.url: pulumi.Output[str] | None = self._create_url().function_url if args.url else None
        self.tick = minute_tick(
            self,
            self.function,
            args.dead_letter_queue,
            payload={"detail-type": TICK},
            description=f"Looks after the jobs of {args.pattern} that nobody else will",
        )
        self.publish({"function_name": self.function.function_name, "url": self.url})

    def create(self) -> list[Statement]:
        """What a caller's role needs to create jobs, by invocation and by URL."""
        statements = self.function.invoke()
        if self.url is not None:
            condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}
            statements.append(
                Statement(actions=["lambda:InvokeFunctionUrl"], resources=[self.function.arn], conditions=condition)
            )
        return statements

    def _create_url(self) -> aws.lambda_.FunctionUrl:
        return aws.lambda_.FunctionUrl(
            self.name,
            function_name=self.function.function_name,
            authorization_type="AWS_IAM",
            opts=self.child(),
        )
