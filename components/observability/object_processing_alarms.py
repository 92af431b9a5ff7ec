"""ObjectProcessingAlarms: the alarms of tasks that are run for objects, with or without a queue in between."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.dispatcher import Dispatcher
from components.core.base import Component
from components.observability.alarms import (
    Notice,
    Runbook,
    dead_letter_alarm,
    failed_invocations_alarm,
    no_running_task_alarm,
    oldest_message_alarm,
)
from components.routers.rule import Rule

__all__ = ["ObjectProcessingAlarms", "ObjectProcessingAlarmsArgs"]

_NO_TASK_MINUTES = 10


@dataclass(frozen=True, kw_only=True)
class ObjectProcessingAlarmsArgs:
    """Arguments of `ObjectProcessingAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        rule: which runs the task, or fills the dispatcher's queue.
        dispatcher: default None: the rule runs the task itself.
        oldest_message_seconds: with a dispatcher: how long an event may wait.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    rule: Rule
    dispatcher: Dispatcher | None = None
    oldest_message_seconds: int = 3_600
    topic_arn: pulumi.Input[str] | None = None


class ObjectProcessingAlarms(Component):
    """Events without a task, tasks that failed for good, events that wait for too long.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: ObjectProcessingAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        alarms = [
            dead_letter_alarm(
                self,
                f"{name}-undelivered",
                args.rule.dead_letter_queue,
                self._notice(
                    f"Objects of {args.pattern} got no {'place in its queue' if args.dispatcher else 'task'}; their "
                    "events stay for 14 days.",
                    f"peek-dlq {args.pattern}",
                    Runbook.DEAD_LETTER_QUEUE,
                ),
            ),
            self._failed_invocations(f"{name}-failed-invocations"),
        ]
        if args.dispatcher:
            alarms += self._dispatcher_alarms(name, args.dispatcher)
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _notice(self, meaning: str, command: str, runbook: Runbook) -> Notice:
        return Notice(meaning=meaning, command=command, runbook=runbook, topic_arn=self._args.topic_arn)

    def _failed_invocations(self, name: str) -> aws.cloudwatch.MetricAlarm:
        """Rises when EventBridge has given up on RunTask (or on the queue)."""
        notice = self._notice(
            f"The rule of {self._args.pattern} could not {'use its queue' if self._args.dispatcher else 'run a task'}.",
            f"peek-dlq {self._args.pattern}",
            Runbook.RUN_TASK_FAILURES,
        )
        return failed_invocations_alarm(self, name, self._args.rule, notice)

    def _dispatcher_alarms(self, name: str, dispatcher: Dispatcher) -> list[aws.cloudwatch.MetricAlarm]:
        pattern, oldest = self._args.pattern, self._args.oldest_message_seconds
        return [
            dead_letter_alarm(
                self,
                f"{name}-dead-letters",
                dispatcher.queue.dead_letter_queue,
                self._notice(
                    f"Tasks of {pattern} failed for good; the events stay for 14 days.",
                    f"peek-dlq {pattern}",
                    Runbook.DEAD_LETTER_QUEUE,
                ),
            ),
            oldest_message_alarm(
                self,
                f"{name}-oldest-message",
                dispatcher.queue,
                self._notice(
                    f"An event of {pattern} has waited for {oldest:,} seconds or more.",
                    f"status {pattern}",
                    Runbook.OLDEST_MESSAGE,
                ),
                threshold_seconds=oldest,
            ),
            no_running_task_alarm(
                self,
                f"{name}-no-dispatcher",
                dispatcher.queue,
                dispatcher.service,
                self._notice(
                    f"Events of {pattern} wait, and for {_NO_TASK_MINUTES} minutes its dispatcher has not run.",
                    f"scale {pattern}",
                    Runbook.RUN_TASK_FAILURES,
                ),
                minutes=_NO_TASK_MINUTES,
            ),
        ]
