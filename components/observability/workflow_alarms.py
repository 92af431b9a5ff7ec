"""WorkflowAlarms: executions that failed, timed out or were throttled, and events that started none."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.observability.alarms import (
    Notice,
    Runbook,
    dead_letter_alarm,
    failed_invocations_alarm,
    occurrence_alarm,
)
from components.routers.rule import Rule
from components.workflows.state_machine import StateMachine

__all__ = ["WorkflowAlarms", "WorkflowAlarmsArgs"]

_PERIOD_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class WorkflowAlarmsArgs:
    """Arguments of `WorkflowAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        rule: which starts executions.
        state_machine: whose.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    rule: Rule
    state_machine: StateMachine
    topic_arn: pulumi.Input[str] | None = None


class WorkflowAlarms(Component):
    """Attributes:
    alarm_names: of all of them.
    """

    def __init__(self, name: str, args: WorkflowAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        pattern = args.pattern
        alarms = [
            dead_letter_alarm(
                self,
                f"{name}-undelivered",
                args.rule.dead_letter_queue,
                self._notice(
                    f"Events of {pattern} started no execution; they stay for 14 days.",
                    f"peek-dlq {pattern}",
                    Runbook.DEAD_LETTER_QUEUE,
                ),
            ),
            failed_invocations_alarm(
                self,
                f"{name}-failed-invocations",
                args.rule,
                self._notice(
                    f"The rule of {pattern} could not start an execution.", f"peek-dlq {pattern}", Runbook.WORKFLOW
                ),
            ),
            self._executions(f"{name}-failed", "ExecutionsFailed", f"Executions of {pattern} failed."),
            self._executions(
                f"{name}-timed-out",
                "ExecutionsTimedOut",
                f"Executions of {pattern} did not end within the state machine's timeout.",
            ),
            self._executions(
                f"{name}-throttled",
                "ExecutionThrottled",
                f"Step Functions slows {pattern} down: StateEntered events and retries are over the account's quota.",
            ),
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _notice(self, meaning: str, command: str, runbook: Runbook) -> Notice:
        return Notice(meaning=meaning, command=command, runbook=runbook, topic_arn=self._args.topic_arn)

    def _executions(self, name: str, metric: str, meaning: str) -> aws.cloudwatch.MetricAlarm:
        """Rises with the first one in five minutes (developer guide, "Monitoring Step Functions metrics")."""
        notice = self._notice(meaning, f"status {self._args.pattern}", Runbook.WORKFLOW)
        return occurrence_alarm(
            self,
            name,
            notice,
            namespace="AWS/States",
            metric=metric,
            dimensions={"StateMachineArn": self._args.state_machine.arn},
            period_seconds=_PERIOD_SECONDS,
        )
