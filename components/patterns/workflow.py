"""Workflow: bus → rule → state machine → tasks, one step after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.core.base import Component
from components.core.errors import InvalidArgsError
from components.core.naming import MAX_PATTERN_NAME, check_name
from components.core.validation import check
from components.encryption import EncryptionKey
from components.manifest import dead_letter_queue_ref, published
from components.observability.workflow_alarms import WorkflowAlarms, WorkflowAlarmsArgs
from components.patterns.manifests import pattern_manifest
from components.patterns.worker import IDEMPOTENCY_RULE, create_idempotency_table
from components.patterns.workflow_steps import STEP_RULES, PlacedStepArgs, Step, StepArgs
from components.routers.event_bus import EventBus
from components.routers.rule import Rule, RuleArgs
from components.routers.targets import StateMachineTarget
from components.workflows.definition import Definition
from components.workflows.state_machine import ExecutionLog, StateMachine, StateMachineArgs
from components.workflows.states import State
from contracts.manifest import BusRef, Holds, RuleRef, StateMachineRef

__all__ = ["PATTERN", "Workflow", "WorkflowArgs"]

PATTERN = "workflow"
_MAX_NAMES = 40
"""Of the pattern and a step together: the longest suffix of a child's role and the provider's eight characters fit."""


@dataclass(frozen=True, kw_only=True)
class WorkflowArgs:
    """Arguments of `Workflow`.

    Attributes:
        bus: whose events.
        event_pattern: which ones start an execution.
        steps: one or more, in their order.
        timeout_seconds, log_level, log_execution_data, log_retention_days, tracing: see `StateMachineArgs`.
        maximum_retry_attempts, maximum_event_age_seconds: of the start; see `RuleArgs`.
        idempotency_expires_hours: how long a step of an event is remembered, 1 to 8,760; default 24; None hands every
            copy to the handler and creates no table.
        encryption_key: of the dead-letter queue and the table; default None.
        alarms: whether to create alarms; default True.
        alarm_topic_arn: whom they notify; default None, nobody.
        description: of the rule.
    """

    bus: EventBus
    event_pattern: Mapping[str, Any]
    steps: Sequence[StepArgs]
    timeout_seconds: int = 86_400
    log_level: ExecutionLog = ExecutionLog.ALL
    log_execution_data: bool = False
    log_retention_days: int = 30
    tracing: bool = True
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 86_400
    idempotency_expires_hours: int | None = 24
    encryption_key: EncryptionKey | None = None
    alarms: bool = True
    alarm_topic_arn: pulumi.Input[str] | None = None
    description: str | None = None


class Workflow(Component):
    """An execution for each event that matches.

    Attributes:
        table, steps, state_machine, rule, alarms: the parts; table and alarms may be None.
    """

    def __init__(self, name: str, args: WorkflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check_name(name, longest=MAX_PATTERN_NAME)
        self._validate(args)
        self.args = args
        self.table = create_idempotency_table(self, args.idempotency_expires_hours, args.encryption_key)
        self.steps = [self._create_step(step) for step in args.steps]
        self.state_machine = self._create_state_machine(args)
        self.rule = Rule(
            name,
            RuleArgs(
                bus=args.bus,
                event_pattern=args.event_pattern,
                targets=[StateMachineTarget(state_machine=self.state_machine)],
                description=args.description,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_seconds=args.maximum_event_age_seconds,
                encryption_key=args.encryption_key,
            ),
            self.child(),
        )
        self.alarms = self._create_alarms(args) if args.alarms else None
        self.publish({"state_machine_arn": self.state_machine.arn})

    def _validate(self, args: WorkflowArgs) -> None:
        where = f"Workflow {self.name!r}"
        check(where, args, [IDEMPOTENCY_RULE])
        problems = [] if args.steps else ["steps has 0 entries; name at least one"]
        for step in args.steps:
            check_name(step.name)
            check(f"{where}, step {step.name!r}", step, STEP_RULES)
            if (size := len(self.name) + len(step.name)) > _MAX_NAMES:
                problems.append(f"its name and the step {step.name!r} have {size} characters; at most {_MAX_NAMES}")
        if problems:
            raise InvalidArgsError(where, problems)

    def _create_step(self, step: StepArgs) -> Step:
        return Step(
            f"{self.name}-{step.name}",
            PlacedStepArgs(
                step=step,
                workflow=self.name,
                table=self.table,
                expires_hours=self.args.idempotency_expires_hours,
            ),
            self.child(),
        )

    def _create_state_machine(self, args: WorkflowArgs) -> StateMachine:
        followers = [*(step.name for step in args.steps[1:]), None]
        states: list[State] = []
        for step, following in zip(self.steps, followers, strict=True):
            states += step.states(following)
        return StateMachine(
            self.name,
            StateMachineArgs(
                definition=Definition(states=states),
                timeout_seconds=args.timeout_seconds,
                log_level=args.log_level,
                log_execution_data=args.log_execution_data,
                log_retention_days=args.log_retention_days,
                tracing=args.tracing,
            ),
            self.child(),
        )

    def _create_alarms(self, args: WorkflowArgs) -> WorkflowAlarms:
        return WorkflowAlarms(
            f"{self.name}-alarms",
            WorkflowAlarmsArgs(
                pattern=self.name, rule=self.rule, state_machine=self.state_machine, topic_arn=args.alarm_topic_arn
            ),
            self.child(),
        )

    def manifest(self) -> pulumi.Output[str]:
        """What `ops` needs to know, as JSON text."""
        return pattern_manifest(
            self,
            PATTERN,
            bus=published(BusRef, name=self.args.bus.bus_name, arn=self.args.bus.arn),
            rules=[published(RuleRef, name=rule.name, bus=self.args.bus.bus_name) for rule in self.rule.rules],
            state_machine=published(
                StateMachineRef,
                name=self.state_machine.state_machine_name,
                arn=self.state_machine.arn,
                log_group=self.state_machine.log_group_name,
                steps=pulumi.Output.all(*(step.ref() for step in self.steps)).apply(tuple),
            ),
            dead_letter_queues=[dead_letter_queue_ref(self.rule.dead_letter_queue, Holds.UNDELIVERED_EVENTS)],
            idempotency_table=self.table.table_name if self.table else None,
            alarms=self.alarms.alarm_names if self.alarms else [],
        )
