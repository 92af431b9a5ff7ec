"""States that run the worker: a Fargate task, in three ways, or a task of an activity.

Each hands the handler the state's input (`contracts.workflows`) and puts what comes of it at ``$.steps.<name>``, so
that the input goes on through the state machine, with the results beside it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from components.compute.task import Task
from components.core.iam import Statement
from components.core.validation import Check, Range, Rule
from components.workflows.activity import Activity
from components.workflows.retries import RETRY_RULES, Catch, Retry, RetryArgs, handler_retries, start_retries
from components.workflows.states import Branch, Choice, State, Succeed, Wait, leading_to, problems_of_path
from contracts import environment as env
from contracts.task_events import MAX_OVERRIDES_CHARACTERS
from contracts.workflows import RESULTS

if TYPE_CHECKING:
    from components.workflows.definition import Definition

__all__ = ["ActivityState", "CallbackTask", "RunTask", "StartTask", "results_key", "until_started"]

MAX_SECONDS = 99_999_999
_RUN_TASK = "arn:aws:states:::ecs:runTask"

_HEARTBEAT_RULES: tuple[Rule, ...] = (
    Range("timeout_seconds", 1, MAX_SECONDS, "seconds"),
    Range("heartbeat_seconds", 3, 86_400, "seconds"),
    Check(
        ("heartbeat_seconds", "timeout_seconds"),
        lambda args: args.heartbeat_seconds >= args.timeout_seconds,
        lambda args: (
            f"heartbeat_seconds is {args.heartbeat_seconds}, not less than timeout_seconds ({args.timeout_seconds}); "
            "lower it"
        ),
    ),
)


def results_key(name: str) -> str:
    """Where the results of a step are in ``$.steps``: a JSONPath takes no hyphens there."""
    return name.replace("-", "_")


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What all four have in common.

    Attributes:
        name: unique in the state machine, up to 80 characters.
        next: the state after it; default None, the end.
        input: JSONPath of what the handler gets; default ``$``.
        key: JSONPath or intrinsic function of the step's idempotency key; default None: the event's own key (or the
            execution's ARN when the input is no event) and the step's name. Inside a `Map` of one execution it is
            needed, for its items would share one.
        retry: of the handler's failures.
        more_retries: tried before all others; default none.
        catch: default none: an error ends the execution.
        result_path: default ``$.steps.<name>``, hyphens as underscores; None drops the result.
    """

    name: str
    next: str | None = None
    input: str = "$"
    key: str | None = None
    retry: RetryArgs = field(default_factory=RetryArgs)
    more_retries: Sequence[Retry] = ()
    catch: Sequence[Catch] = ()
    result_path: str | None = ""

    def successors(self) -> Sequence[str]:
        return [*(() if self.next is None else (self.next,)), *(item.next for item in self.catch)]

    def inner(self) -> Sequence[Definition]:
        return ()

    def tasks(self) -> Sequence[tuple[Task, bool]]:
        return ()

    def statements(self) -> Sequence[Statement]:
        return ()

    def _problems(self) -> Iterator[str]:
        yield from problems_of_path("input", self.input)
        yield from problems_of_path("result_path", self.result_path or None)
        if self.key is not None and not self.key.startswith(("$", "States.")):
            yield f"key is {self.key!r}; allowed is a JSONPath or an intrinsic function, e.g. $.order, States.UUID()"
        for rule in RETRY_RULES:
            yield from (f"retry: {problem}" for problem in rule.problems(self.retry))

    def _frame(self, retries: Sequence[Retry]) -> dict[str, Any]:
        path = f"$.{RESULTS}.{results_key(self.name)}" if self.result_path == "" else self.result_path
        document: dict[str, Any] = {
            "ResultPath": path,
            "Retry": [item.to_json() for item in [*self.more_retries, *retries]],
        }
        if self.catch:
            document["Catch"] = [item.to_json() for item in self.catch]
        return document | leading_to(self.next)


@dataclass(frozen=True, kw_only=True)
class _FargateStep(_Step):
    """A state that runs a task.

    Attributes:
        task: what runs, where.
        environment: variables of this state, in clear text; default none.
    """

    task: Task
    environment: Mapping[str, str] = field(default_factory=dict)

    suffix: ClassVar[str] = ""

    def tasks(self) -> Sequence[tuple[Task, bool]]:
        return [(self.task, self.suffix == ".sync")]

    def problems(self) -> Iterator[str]:
        yield from self._problems()
        size = len(json.dumps(self._overrides()))
        if size > MAX_OVERRIDES_CHARACTERS:
            yield (
                f"the overrides have {size:,} characters before the input is in; ECS allows "
                f"{MAX_OVERRIDES_CHARACTERS:,}: put values into the container's own environment"
            )

    def _variables(self) -> dict[str, str]:
        """Name (with ``.$`` for a path) → value."""
        variables = {
            **self.environment,
            f"{env.STEP_INPUT}.$": f"States.JsonToString({self.input})",
            f"{env.STEP_NAME}.$": "$$.State.Name",
            f"{env.STEP_EXECUTION}.$": "$$.Execution.Id",
        }
        return variables if self.key is None else {**variables, f"{env.STEP_KEY}.$": self.key}

    def _overrides(self) -> dict[str, Any]:
        environment = [
            {"Name": name.removesuffix(".$"), "Value.$" if name.endswith(".$") else "Value": value}
            for name, value in self._variables().items()
        ]
        return {"ContainerOverrides": [{"Name": self.task.definition.container_name, "Environment": environment}]}

    def _parameters(self) -> dict[str, Any]:
        task, network = self.task, self.task.network
        return {
            "Cluster": task.cluster.arn,
            # Without a revision: a deploy must not break executions that are running.
            "TaskDefinition": task.definition.family,
            "CapacityProviderStrategy": [{"CapacityProvider": task.capacity_provider, "Weight": 1}],
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "Subnets": network.task_subnet_ids,
                    "SecurityGroups": [network.task_security_group_id],
                    "AssignPublicIp": "ENABLED" if network.assign_public_ip else "DISABLED",
                }
            },
            # ECS's own tags are left out: the parameters that Step Functions documents for RunTask do not name them.
            "PropagateTags": "TASK_DEFINITION",
            "Overrides": self._overrides(),
        }

    def _resource(self) -> dict[str, Any]:
        return {"Type": "Task", "Resource": f"{_RUN_TASK}{self.suffix}", "Parameters": self._parameters()}


@dataclass(frozen=True, kw_only=True)
class StartTask(_FargateStep):
    """Starts a task and goes on. What becomes of it, the state machine does not learn.

    The result has ``started``: a list with the task's ARN, or an empty one: RunTask that had no capacity is no error
    here. `until_started` looks, and tries again.
    """

    def document(self) -> dict[str, Any]:
        return {
            **self._resource(),
            "ResultSelector": {"started.$": "$.Tasks[*].TaskArn", "failures.$": "$.Failures[*].Reason"},
            **self._frame(start_retries()),
        }


def until_started(start: StartTask, *, again_after_seconds: int = 30) -> list[State]:
    """The state, followed by a look at what it has started, and by another try when that is nothing.

    The state machine's timeout ends it. Its successor's name is that of `start`.
    """
    look, wait, done = f"{start.name}-started", f"{start.name}-again", f"{start.name}-done"
    started = {"Variable": f"$.{RESULTS}.{results_key(start.name)}.started[0]", "IsPresent": True}
    states: list[State] = [
        dataclasses.replace(start, next=look, result_path=""),
        Choice(name=look, branches=[Branch(condition=started, next=start.next or done)], default=wait),
        Wait(name=wait, seconds=again_after_seconds, next=start.name),
    ]
    return states if start.next else [*states, Succeed(name=done)]


@dataclass(frozen=True, kw_only=True)
class RunTask(_FargateStep):
    """Waits until the task has stopped (``.sync``). Its failure is the state's; a state that ends first stops it.

    Attributes:
        timeout_seconds: 1 to 99,999,999; the task's start included.
    """

    timeout_seconds: int

    suffix: ClassVar[str] = ".sync"

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from Range("timeout_seconds", 1, MAX_SECONDS, "seconds").problems(self)

    def document(self) -> dict[str, Any]:
        return {
            **self._resource(),
            "TimeoutSeconds": self.timeout_seconds,
            "ResultSelector": {"task.$": "$.TaskArn"},
            **self._frame([*start_retries(), *handler_retries(self.retry)]),
        }


@dataclass(frozen=True, kw_only=True)
class CallbackTask(_FargateStep):
    """Waits for the report of the task (``waitForTaskToken``): the handler's result, or its error.

    Attributes:
        timeout_seconds: 1 to 99,999,999; the task's start included. A state that times out does not stop its task; the
            worker hears of it with the next heartbeat, and ends.
        heartbeat_seconds: 3 to 86,400, less than the timeout: how long a killed worker stays unnoticed. It begins with
            RunTask, so it must outlast the start of a task, which on Fargate takes a minute or so: 120 or more.
    """

    timeout_seconds: int
    heartbeat_seconds: int

    suffix: ClassVar[str] = ".waitForTaskToken"

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        for rule in _HEARTBEAT_RULES:
            yield from rule.problems(self)

    def _variables(self) -> dict[str, str]:
        return {
            **super()._variables(),
            f"{env.TASK_TOKEN}.$": "$$.Task.Token",
            env.HEARTBEAT_SECONDS: str(self.heartbeat_seconds),
        }

    def document(self) -> dict[str, Any]:
        return {
            **self._resource(),
            "TimeoutSeconds": self.timeout_seconds,
            "HeartbeatSeconds": self.heartbeat_seconds,
            **self._frame([*start_retries(), *handler_retries(self.retry)]),
        }


@dataclass(frozen=True, kw_only=True)
class ActivityState(_Step):
    """Waits for a worker of an activity, and for its report.

    Attributes:
        activity: whose workers do it.
        timeout_seconds: 1 to 99,999,999, from the moment that a worker has taken the task. Until then only the state
            machine's own timeout counts.
        heartbeat_seconds: 3 to 86,400, less than the timeout: how long a killed worker stays unnoticed.
    """

    activity: Activity
    timeout_seconds: int
    heartbeat_seconds: int

    def problems(self) -> Iterator[str]:
        yield from self._problems()
        for rule in _HEARTBEAT_RULES:
            yield from rule.problems(self)

    def document(self) -> dict[str, Any]:
        about = {"name.$": "$$.State.Name", "execution.$": "$$.Execution.Id"}
        if self.key is not None:
            about["key.$"] = self.key
        return {
            "Type": "Task",
            "Resource": self.activity.arn,
            "Parameters": {"step": about, "input.$": self.input},
            "TimeoutSeconds": self.timeout_seconds,
            "HeartbeatSeconds": self.heartbeat_seconds,
            **self._frame(handler_retries(self.retry)),
        }
