"""Targets that do something: Fargate tasks, Lambda functions, state machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi_aws as aws

from components.compute.cluster import FARGATE, FARGATE_SPOT, Cluster
from components.compute.task import run_task
from components.compute.task_definition import TaskDefinition
from components.core.iam import Statement
from components.core.validation import Range
from components.network import Network
from components.routers.targets.base import EVENTS_SERVICE, Addressable, Binding, RetryPolicy, RuleSide, refuse
from components.routers.targets.input import InputTransformer, TargetInput, transformer_path_problem
from contracts.task_events import MAX_OVERRIDES_CHARACTERS

__all__ = ["MAX_OVERRIDES_CHARACTERS", "EcsTaskTarget", "LambdaTarget", "StateMachineTarget"]


@dataclass(frozen=True, kw_only=True)
class StateMachineTarget:
    """Starts an execution and goes on; it does not learn how it ends.

    Attributes:
        state_machine: of this program, or `Existing`.
        input: the execution's input; default None, the event as it is.
        retry: of the start; default None, the rule's.
    """

    state_machine: Addressable
    input: TargetInput | None = None
    retry: RetryPolicy | None = None

    @property
    def name(self) -> str:
        return self.state_machine.name

    def bind(self, rule: RuleSide) -> Binding:
        arn = self.state_machine.arn
        return Binding(arn=arn, statements=[Statement(actions=["states:StartExecution"], resources=[arn])])


@dataclass(frozen=True, kw_only=True)
class LambdaTarget:
    """Invokes a function asynchronously. The function gains a permission for this rule.

    Attributes:
        function: of this program, or `Existing`.
        input: the function's event; default None, the event as it is.
        retry: of the invocation; default None, the rule's. What the function itself does with an error is its own.
    """

    function: Addressable
    input: TargetInput | None = None
    retry: RetryPolicy | None = None

    @property
    def name(self) -> str:
        return self.function.name

    def bind(self, rule: RuleSide) -> Binding:
        permission = aws.lambda_.Permission(
            f"{rule.child_name}-permission",
            action="lambda:InvokeFunction",
            function=self.function.arn,
            principal=EVENTS_SERVICE,
            source_arn=rule.arn,
            opts=rule.owner.child(),
        )
        return Binding(arn=self.function.arn, depends_on=[permission])


@dataclass(frozen=True, kw_only=True)
class EcsTaskTarget:
    """Runs a Fargate task for each event. The container sees of the event what `event_fields` names, and nothing else.

    A task cannot be started faster than Fargate launches (a burst of 100, then 20 a second for an account) and an
    event that meets the limit is retried, then dead-lettered: in front of a flood, put a queue and a worker.

    Attributes:
        cluster, task_definition, network: what runs where. The latest active revision of the family is run.
        event_fields: environment variable → path into the event, e.g. ``{"KEY": "$.detail.object.key"}``. Texts and
            numbers only: the value becomes a text.
        environment: environment variable → fixed value; default none.
        command: replaces the container's; default None.
        task_count: tasks for each event, 1 to 10; default 1.
        spot: Fargate Spot. Default False.
        retry: of the start; default None, the rule's. A task that starts and fails is not retried.
    """

    cluster: Cluster
    task_definition: TaskDefinition
    network: Network
    event_fields: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] | None = None
    task_count: int = 1
    spot: bool = False
    retry: RetryPolicy | None = None

    def __post_init__(self) -> None:
        problems = list(Range("task_count", 1, 10, "tasks").problems(self))
        for variable, path in self.event_fields.items():
            if problem := transformer_path_problem(path):
                problems.append(f"event_fields: {variable}: {problem}")
        if twice := sorted(self.event_fields.keys() & self.environment.keys()):
            problems.append(f"{', '.join(twice)}: in event_fields and in environment; keep one")
        size = len(json.dumps(self._overrides()))
        if size > MAX_OVERRIDES_CHARACTERS:
            problems.append(
                f"the overrides have {size:,} characters before the event's values are in; ECS allows "
                f"{MAX_OVERRIDES_CHARACTERS:,}: pass a reference and let the task fetch the rest"
            )
        refuse(self, self.name, problems)

    @property
    def name(self) -> str:
        return self.task_definition.name

    @property
    def input(self) -> InputTransformer:
        """TaskOverride: without a transformer the container would see nothing of the event."""
        paths = {f"v{position}": path for position, path in enumerate(self.event_fields.values())}
        return InputTransformer(template=json.dumps(self._overrides()), paths=paths)

    def _overrides(self) -> dict[str, Any]:
        values = {name: f"<v{position}>" for position, name in enumerate(self.event_fields)} | dict(self.environment)
        container: dict[str, Any] = {
            "name": self.task_definition.container_name,
            "environment": [{"name": name, "value": value} for name, value in values.items()],
        }
        if self.command is not None:
            container["command"] = list(self.command)
        return {"containerOverrides": [container]}

    def bind(self, rule: RuleSide) -> Binding:
        return Binding(
            arn=self.cluster.arn,
            statements=run_task(self.cluster, self.task_definition),
            ecs_target=self._target(),
        )

    def _target(self) -> aws.cloudwatch.EventTargetEcsTargetArgs:
        return aws.cloudwatch.EventTargetEcsTargetArgs(
            # Without a revision: a rule that names one breaks when the next deployment retires it.
            task_definition_arn=self.task_definition.family_arn,
            task_count=self.task_count,
            capacity_provider_strategies=[
                aws.cloudwatch.EventTargetEcsTargetCapacityProviderStrategyArgs(
                    capacity_provider=FARGATE_SPOT if self.spot else FARGATE, weight=1
                )
            ],
            network_configuration=aws.cloudwatch.EventTargetEcsTargetNetworkConfigurationArgs(
                subnets=self.network.task_subnet_ids,
                security_groups=[self.network.task_security_group_id],
                assign_public_ip=self.network.assign_public_ip,
            ),
            platform_version="LATEST",
            enable_ecs_managed_tags=True,
            propagate_tags="TASK_DEFINITION",
        )
