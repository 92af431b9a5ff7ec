"""QueueWorkerAlarms: the alarms of a queue worker, one for each way in which events stop being processed."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Range, check
from components.observability.alarms import (
    Notice,
    Runbook,
    dead_letter_alarm,
    failed_invocations_alarm,
    no_running_task_alarm,
    oldest_message_alarm,
)
from components.routers.rule import Rule
from components.stores.queue import Queue

__all__ = ["QueueWorkerAlarms", "QueueWorkerAlarmsArgs"]


@dataclass(frozen=True, kw_only=True)
class QueueWorkerAlarmsArgs:
    """Arguments of `QueueWorkerAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        queue: of the workers.
        rule: which feeds it; default None: something else does, and watches its own deliveries.
        service: the workers; default None, without the alarm on a service that cannot start a task.
        oldest_message_seconds: age of the oldest message that raises an alarm, 60 to 1,209,600; a good value is three
            times the acceptable latency.
        no_task_minutes: minutes in which messages wait and no task runs, 5 to 60; default 10: waking a service takes up
            to five.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    queue: Queue
    oldest_message_seconds: int
    rule: Rule | None = None
    service: Service | None = None
    no_task_minutes: int = 10
    topic_arn: pulumi.Input[str] | None = None


_RULES = (
    Range("oldest_message_seconds", 60, 1_209_600, "seconds"),
    Range("no_task_minutes", 5, 60, "minutes"),
)


class QueueWorkerAlarms(Component):
    """Dead letters, undelivered events, failed deliveries, late messages, and messages without a worker.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: QueueWorkerAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"QueueWorkerAlarms {name!r}", args, _RULES)
        pattern, topic = args.pattern, args.topic_arn
        alarms = [
            dead_letter_alarm(
                self,
                f"{name}-dead-letters",
                args.queue.dead_letter_queue,
                Notice(
                    meaning=f"Messages of {pattern} could not be processed and are in its dead-letter queue; they stay "
                    "for 14 days.",
                    command=f"peek-dlq {pattern}",
                    runbook=Runbook.DEAD_LETTER_QUEUE,
                    topic_arn=topic,
                ),
            ),
            oldest_message_alarm(
                self,
                f"{name}-oldest-message",
                args.queue,
                Notice(
                    meaning=f"A message of {pattern} has waited for {args.oldest_message_seconds:,} seconds or more.",
                    command=f"status {pattern}",
                    runbook=Runbook.OLDEST_MESSAGE,
                    topic_arn=topic,
                ),
                threshold_seconds=args.oldest_message_seconds,
            ),
        ]
        if rule := args.rule:
            alarms += [
                dead_letter_alarm(
                    self,
                    f"{name}-undelivered",
                    rule.dead_letter_queue,
                    Notice(
                        meaning=f"EventBridge could not deliver events of {pattern} to its queue; they stay for 14 "
                        "days.",
                        command=f"peek-dlq {pattern}",
                        runbook=Runbook.DEAD_LETTER_QUEUE,
                        topic_arn=topic,
                    ),
                ),
                failed_invocations_alarm(
                    self,
                    f"{name}-failed-invocations",
                    rule,
                    Notice(
                        meaning=f"The rule of {pattern} could not invoke its target.",
                        command=f"status {pattern}",
                        runbook=Runbook.RUN_TASK_FAILURES,
                        topic_arn=topic,
                    ),
                ),
            ]
        if args.service:
            alarms.append(
                no_running_task_alarm(
                    self,
                    f"{name}-no-running-task",
                    args.queue,
                    args.service,
                    Notice(
                        meaning=f"Messages of {pattern} wait, and for {args.no_task_minutes} minutes no task has run.",
                        command=f"scale {pattern}",
                        runbook=Runbook.RUN_TASK_FAILURES,
                        topic_arn=topic,
                    ),
                    minutes=args.no_task_minutes,
                )
            )
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})
