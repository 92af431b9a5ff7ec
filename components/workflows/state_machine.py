"""StateMachine: a checked definition, a role that may do what its states do, a log, traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from components.compute.task_definition import LOG_RETENTION_DAYS
from components.core.base import Component
from components.core.errors import ComponentError, InvalidArgsError
from components.core.iam import Statement
from components.core.naming import stack_name
from components.core.outputs import json_text
from components.core.role import create_service_role
from components.core.validation import Check, OneOf, Range, check
from components.workflows.definition import MAX_BYTES, Definition
from components.workflows.permissions import (
    log_delivery,
    map_run_statements,
    report_statements,
    state_machine_arn,
    task_statements,
    tracing_statements,
)

__all__ = ["ExecutionLog", "StateMachine", "StateMachineArgs", "physical_name"]

STATES_SERVICE = "states.amazonaws.com"
_MAX_PHYSICAL_NAME = 80


class ExecutionLog(StrEnum):
    """Which events of executions are logged."""

    ALL = "ALL"
    ERROR = "ERROR"
    FATAL = "FATAL"
    OFF = "OFF"


@dataclass(frozen=True, kw_only=True)
class StateMachineArgs:
    """Arguments of `StateMachine`.

    Attributes:
        definition: the states. A change applies to executions that begin after it.
        timeout_seconds: 1 to 99,999,999 for a whole execution, waits included; default 86,400, a day.
        log_level: default ALL.
        log_execution_data: whether inputs and outputs are logged, too, with whatever is in the events; default False.
        log_retention_days: one of `LOG_RETENTION_DAYS`; default 30.
        tracing: X-Ray; default True.
    """

    definition: Definition
    timeout_seconds: int = 86_400
    log_level: ExecutionLog = ExecutionLog.ALL
    log_execution_data: bool = False
    log_retention_days: int = 30
    tracing: bool = True


_RULES = (
    Range("timeout_seconds", 1, 99_999_999, "seconds"),
    OneOf("log_level", tuple(item.value for item in ExecutionLog)),
    OneOf("log_retention_days", LOG_RETENTION_DAYS),
    Check(
        ("log_level", "log_execution_data"),
        lambda args: args.log_execution_data and args.log_level == ExecutionLog.OFF,
        "log_execution_data is True with log_level OFF: nothing is logged then; choose another level",
    ),
)


def physical_name(name: str) -> str:
    """``<project>-<stack>-<name>``: known beforehand, for the roles of the tasks that it runs name it."""
    return stack_name(name).replace(".", "-")


class StateMachine(Component):
    """A standard state machine. **A change of its name replaces it; running executions end with it.**

    Attributes:
        arn, state_machine_name: of the state machine.
        log_group_name: of its executions; None with log level OFF.
        role: what it may do.
        state_machine: the raw resource.
    """

    def __init__(self, name: str, args: StateMachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        where = f"StateMachine {name!r}"
        check(where, args, _RULES)
        problems = list(args.definition.problems())
        if len(physical_name(name)) > _MAX_PHYSICAL_NAME:
            problems.append(f"{physical_name(name)!r} has over {_MAX_PHYSICAL_NAME} characters; shorten a name")
        if problems:
            raise InvalidArgsError(where, problems)
        self.state_machine_name = physical_name(name)
        self.log_group = self._create_log_group(args)
        self.role, policy = create_service_role(
            self,
            f"{name}-states-role",
            service=STATES_SERVICE,
            statements=self._statements(args),
            description=f"What the executions of {self.state_machine_name} may do",
        )
        self.state_machine = self._create(args, [policy] if policy else [])
        self.arn: pulumi.Output[str] = self.state_machine.arn
        self.log_group_name = self.log_group.name if self.log_group else None
        self.publish({"arn": self.arn, "state_machine_name": self.state_machine_name})

    @staticmethod
    def reports(owner: Component, name: str) -> list[Statement]:
        """What a task needs that reports to the state machine `name`, which is made after it."""
        return report_statements(state_machine_arn(owner, physical_name(name)))

    def start(self) -> list[Statement]:
        """What somebody needs who starts executions."""
        return [Statement(actions=["states:StartExecution"], resources=[self.arn])]

    def watch_map_runs(self) -> list[Statement]:
        """What somebody needs who asks how far its distributed maps are."""
        executions = self.arn.apply(lambda arn: arn.replace(":stateMachine:", ":execution:"))
        runs = self.arn.apply(lambda arn: arn.replace(":stateMachine:", ":mapRun:"))
        return [
            Statement(actions=["states:ListExecutions"], resources=[self.arn]),
            Statement(actions=["states:ListMapRuns"], resources=[pulumi.Output.concat(executions, ":*")]),
            Statement(actions=["states:DescribeMapRun"], resources=[pulumi.Output.concat(runs, "/*")]),
        ]

    def _create_log_group(self, args: StateMachineArgs) -> aws.cloudwatch.LogGroup | None:
        if args.log_level == ExecutionLog.OFF:
            return None
        # CloudWatch Logs lets Step Functions write to groups with this prefix without a growing resource policy.
        return aws.cloudwatch.LogGroup(
            f"{self.name}-executions",
            name=f"/aws/vendedlogs/states/{self.state_machine_name}",
            retention_in_days=args.log_retention_days,
            opts=self.child(),
        )

    def _statements(self, args: StateMachineArgs) -> Sequence[Statement]:
        states = list(args.definition.everything())
        statements = task_statements(self, [pair for state in states for pair in state.tasks()])
        statements += [item for state in states for item in state.statements()]
        if any(state.document().get("ItemReader") for state in states):
            statements += map_run_statements(state_machine_arn(self, self.state_machine_name))
        if args.log_level != ExecutionLog.OFF:
            statements.append(log_delivery())
        if args.tracing:
            statements.append(tracing_statements())
        return statements

    def _create(self, args: StateMachineArgs, policies: Sequence[pulumi.Resource]) -> aws.sfn.StateMachine:
        document = {"TimeoutSeconds": args.timeout_seconds, **args.definition.document()}
        logging = None
        if self.log_group is not None:
            logging = aws.sfn.StateMachineLoggingConfigurationArgs(
                level=args.log_level.value,
                include_execution_data=args.log_execution_data,
                log_destination=pulumi.Output.concat(self.log_group.arn, ":*"),
            )
        return aws.sfn.StateMachine(
            self.name,
            name=self.state_machine_name,
            type="STANDARD",
            role_arn=self.role.arn,
            definition=json_text(document).apply(self._checked),
            logging_configuration=logging,
            tracing_configuration=aws.sfn.StateMachineTracingConfigurationArgs(enabled=args.tracing),
            # Step Functions tries the role's permissions (the managed rule, the log) when the state machine is made.
            opts=self.child(depends_on=policies),
        )

    def _checked(self, text: str) -> str:
        if (size := len(text.encode())) > MAX_BYTES:
            raise ComponentError(
                f"StateMachine {self.name!r}: its definition has {size:,} bytes; Step Functions takes {MAX_BYTES:,}"
            )
        return text
