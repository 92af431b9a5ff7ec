"""ActivityPoolAlarms: failed maps, lost workers, items that nobody takes, a counter that stands still."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute import scaling_metrics
from components.compute.pool_scaling import UNATTENDED, items_left
from components.compute.service import Service
from components.core.base import Component
from components.observability.alarms import Notice, Runbook, dead_letter_alarm, occurrence_alarm, unattended_alarm
from components.stores.queue import DeadLetterQueue
from components.workflows.activity import Activity
from components.workflows.state_machine import StateMachine

__all__ = ["ActivityPoolAlarms", "ActivityPoolAlarmsArgs"]

_PERIOD_SECONDS = 300
_UNATTENDED_MINUTES = 10


@dataclass(frozen=True, kw_only=True)
class ActivityPoolAlarmsArgs:
    """Arguments of `ActivityPoolAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        state_machine, activity, service: which they watch.
        dead_letter_queue: of the counter's ticks.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    state_machine: StateMachine
    activity: Activity
    service: Service
    dead_letter_queue: DeadLetterQueue
    topic_arn: pulumi.Input[str] | None = None


class ActivityPoolAlarms(Component):
    """Attributes:
    alarm_names: of all of them.
    """

    def __init__(self, name: str, args: ActivityPoolAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        pattern, machine = args.pattern, {"StateMachineArn": args.state_machine.arn}
        alarms = [
            self._states(
                f"{name}-failed",
                "ExecutionsFailed",
                machine,
                f"A map of {pattern} failed: more of its items than tolerated, or its list could not be read.",
            ),
            self._states(
                f"{name}-timed-out",
                "ExecutionsTimedOut",
                machine,
                f"A map of {pattern} did not end within the state machine's timeout.",
            ),
            self._states(
                f"{name}-lost-workers",
                "ActivitiesTimedOut",
                {"ActivityArn": args.activity.arn},
                f"Workers of {pattern} were lost in the middle of their work, or took too long; their items are tried "
                "again.",
            ),
            self._unattended(f"{name}-unattended"),
            dead_letter_alarm(
                self,
                f"{name}-uncounted",
                args.dead_letter_queue,
                self._notice(
                    f"The function that counts the items of {pattern} is not called: its pool does not scale."
                ),
            ),
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _notice(self, meaning: str) -> Notice:
        return Notice(
            meaning=meaning,
            command=f"status {self._args.pattern}",
            runbook=Runbook.ACTIVITY_POOL,
            topic_arn=self._args.topic_arn,
        )

    def _states(
        self, name: str, metric: str, dimensions: dict[str, pulumi.Output[str]], meaning: str
    ) -> aws.cloudwatch.MetricAlarm:
        """Rises with the first one in five minutes (developer guide, "Monitoring Step Functions metrics")."""
        return occurrence_alarm(
            self,
            name,
            self._notice(meaning),
            namespace="AWS/States",
            metric=metric,
            dimensions=dimensions,
            period_seconds=_PERIOD_SECONDS,
        )

    def _unattended(self, name: str) -> aws.cloudwatch.MetricAlarm:
        pattern = self._args.pattern
        notice = self._notice(f"Items of {pattern} wait, and no task has run for {_UNATTENDED_MINUTES} minutes.")
        return unattended_alarm(
            self,
            name,
            notice,
            expression=UNATTENDED,
            label="Items wait and no task runs",
            metrics=[items_left(pattern), scaling_metrics.running(self._args.service)],
            minutes=_UNATTENDED_MINUTES,
        )
