"""The steps of a `Workflow`: each makes what runs it, and the states that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import pulumi

from components.compute.service import Service, ServiceArgs
from components.compute.task import Task, TaskArgs
from components.compute.task_definition import TaskDefinition
from components.core.base import Component
from components.core.iam import Statement
from components.core.validation import Check, OneOf, Range
from components.core.validation import Rule as ValidationRule
from components.patterns.worker import OWNED_VARIABLES, HandlerArgs, handler_task
from components.stores.idempotency_table import IdempotencyTable
from components.workflows.activity import Activity
from components.workflows.retries import RetryArgs
from components.workflows.state_machine import StateMachine
from components.workflows.states import State
from components.workflows.task_states import ActivityState, CallbackTask, RunTask, StartTask, until_started
from contracts import environment as env
from contracts.manifest import StepRef

__all__ = ["STEP_RULES", "Step", "StepArgs", "StepKind"]

MAX_STEP_NAME = 20


class StepKind(StrEnum):
    """How a step is run, and what of it the state machine waits for."""

    REQUEST_RESPONSE = "request-response"
    """A task is started; nothing is waited for."""
    SYNC = "sync"
    """A task is started, and its end waited for; its exit code decides."""
    CALLBACK = "callback"
    """A task is started, and the handler's result waited for."""
    ACTIVITY = "activity"
    """Workers that run all the time; the handler's result is waited for."""


@dataclass(frozen=True, kw_only=True)
class StepArgs(HandlerArgs):
    """One step of a `Workflow`, beside the arguments of `HandlerArgs`.

    Attributes:
        name: 1 to 20 characters, unique in the workflow. **A change replaces the step's resources.**
        kind: how it is run.
        concurrency: with an activity: what one worker handles at a time, 1 to 100; default 1.
        check_schemas: refuses events that do not obey the JSON Schema of their kind; default True.
        timeout_seconds: of one attempt, 1 to 31,536,000; default 3,600. Not with request-response.
        heartbeat_seconds: 3 to 86,400, below the timeout; default 120. With a callback or an activity.
        retry: of the handler's failures; default 3 retries.
        workers: with an activity: tasks that run all the time, 1 to 5,000; default 1.
        spot: Fargate Spot; default False.
    """

    name: str
    kind: StepKind
    concurrency: int = 1
    check_schemas: bool = True
    timeout_seconds: int = 3_600
    heartbeat_seconds: int = 120
    retry: RetryArgs = field(default_factory=RetryArgs)
    workers: int = 1
    spot: bool = False


@dataclass(frozen=True, kw_only=True)
class PlacedStepArgs:
    """Arguments of `Step`.

    Attributes:
        step: what it does.
        workflow: name of the workflow.
        table: of the workflow's idempotency keys; None: every copy is handled.
        expires_hours: how long a key is remembered, 1 to 8,760; None without a table.
    """

    step: StepArgs
    workflow: str
    table: IdempotencyTable | None = None
    expires_hours: int | None = None


STEP_RULES: tuple[ValidationRule, ...] = (
    Check(
        ("name",),
        lambda args: not 1 <= len(args.name) <= MAX_STEP_NAME,
        lambda args: f"name has {len(args.name)} characters; allowed are 1 to {MAX_STEP_NAME}",
    ),
    OneOf("kind", tuple(item.value for item in StepKind)),
    Range("concurrency", 1, 100, "tasks"),
    Range("timeout_seconds", 1, 31_536_000, "seconds"),
    Range("workers", 1, 5_000, "tasks"),
    OWNED_VARIABLES,
)

_SOURCES = {
    StepKind.REQUEST_RESPONSE: "task",
    StepKind.SYNC: "task",
    StepKind.CALLBACK: "callback",
    StepKind.ACTIVITY: "activity",
}


class Step(Component):
    """What runs one step.

    Attributes:
        task: with all kinds but an activity.
        activity, service: with an activity.
        task_definition: of either.
    """

    def __init__(
        self,
        name: str,
        args: PlacedStepArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.args = args.step
        self._placed = args
        self.task: Task | None = None
        self.activity: Activity | None = None
        self.service: Service | None = None
        if self.args.kind == StepKind.ACTIVITY:
            self.task_definition = self._create_workers()
        else:
            self.task_definition = self._create_task()
        self.publish({"task_definition": self.task_definition.arn})

    def states(self, following: str | None) -> list[State]:
        """The states of the step; `following` is the next step's first one, None the end."""
        args = self.args
        if self.activity is not None:
            return [
                ActivityState(
                    name=args.name,
                    activity=self.activity,
                    timeout_seconds=args.timeout_seconds,
                    heartbeat_seconds=args.heartbeat_seconds,
                    retry=args.retry,
                    next=following,
                )
            ]
        assert self.task is not None
        if args.kind == StepKind.REQUEST_RESPONSE:
            return until_started(StartTask(name=args.name, task=self.task, next=following))
        if args.kind == StepKind.SYNC:
            return [
                RunTask(
                    name=args.name,
                    task=self.task,
                    timeout_seconds=args.timeout_seconds,
                    retry=args.retry,
                    next=following,
                )
            ]
        return [
            CallbackTask(
                name=args.name,
                task=self.task,
                timeout_seconds=args.timeout_seconds,
                heartbeat_seconds=args.heartbeat_seconds,
                retry=args.retry,
                next=following,
            )
        ]

    def ref(self) -> pulumi.Output[StepRef]:
        """The step in the manifest."""
        kind, service = self.args.kind.value, self.service.service_name if self.service else None
        return pulumi.Output.all(self.task_definition.log_group_name, service).apply(
            lambda known: StepRef(name=self.args.name, kind=kind, log_group=known[0], service=known[1])
        )

    def _create_task(self) -> TaskDefinition:
        args = self.args
        reports: Sequence[Statement] = ()
        if args.kind == StepKind.CALLBACK:
            reports = StateMachine.reports(self, self._placed.workflow)
        definition = handler_task(
            self._placed.workflow,
            args,
            command=_SOURCES[args.kind],
            variables=self._variables({}),
            grants=reports,
            table=self._placed.table,
            expires_hours=self._placed.expires_hours,
        )
        arguments = TaskArgs(cluster=args.cluster, network=args.network, definition=definition, spot=args.spot)
        self.task = Task(f"{self.name}-task", arguments, self.child())
        return self.task.definition

    def _create_workers(self) -> TaskDefinition:
        args = self.args
        self.activity = Activity(self.name, opts=self.child())
        definition = handler_task(
            self._placed.workflow,
            args,
            command=_SOURCES[args.kind],
            variables=self._variables(
                {
                    env.ACTIVITY_ARN: self.activity.arn,
                    env.HEARTBEAT_SECONDS: str(args.heartbeat_seconds),
                    env.CONCURRENCY: str(args.concurrency),
                }
            ),
            grants=self.activity.work(),
            table=self._placed.table,
            expires_hours=self._placed.expires_hours,
        )
        task_definition = TaskDefinition(f"{self.name}-worker", definition, self.child())
        self.service = Service(
            f"{self.name}-worker",
            ServiceArgs(
                cluster=args.cluster,
                task_definition=task_definition,
                network=args.network,
                desired_count=args.workers,
                spot=args.spot,
            ),
            self.child(),
        )
        return task_definition

    def _variables(self, own: dict[str, pulumi.Input[str]]) -> dict[str, pulumi.Input[str]]:
        return {env.CHECK_SCHEMAS: "true" if self.args.check_schemas else "false", **own}
