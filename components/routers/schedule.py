"""Schedule: EventBridge Scheduler runs a task at given times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.compute.task import Task
from components.core.base import Component
from components.core.role import create_service_role
from components.core.validation import Check, Range, check
from components.encryption import EncryptionKey
from components.routers.schedule_expression import expression_problem, time_zone_problem
from components.stores.queue import DeadLetterQueue, DeadLetterQueueArgs
from contracts import environment as env
from contracts.task_events import MAX_OVERRIDES_CHARACTERS, overrides, overrides_size

__all__ = ["DETAIL_TYPE", "SCHEDULED_TIME", "Schedule", "ScheduleArgs"]

DETAIL_TYPE = "ScheduledTask"
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""Scheduler puts in the time that the run was planned for (user guide, "Adding context attributes")."""


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs:
    """Arguments of `Schedule`.

    Attributes:
        expression: ``cron(0 8 ? * MON-FRI *)``, ``rate(5 minutes)`` or ``at(2026-12-24T18:00:00)``.
        task: what is run.
        time_zone: of cron and at, a name of the IANA database; default UTC. Scheduler follows daylight saving.
        flexible_window_minutes: the task starts within so many minutes, 0 to 1,440; default 0, at once.
        data: ``detail.data`` of the event that the task gets; default none. ``scheduled-time`` is added.
        maximum_retry_attempts, maximum_event_age_seconds: of RunTask, 0 to 185 and 60 to 86,400; defaults 185 and
            3,600: a task that starts an hour late is often worth less than one that is missed and reported.
        enabled: default True.
        encryption_key: of the dead-letter queue; default None, which is SSE-SQS.
        description: shown in the console.
    """

    expression: str
    task: Task
    time_zone: str = "UTC"
    flexible_window_minutes: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)
    maximum_retry_attempts: int = 185
    maximum_event_age_seconds: int = 3_600
    enabled: bool = True
    encryption_key: EncryptionKey | None = None
    description: str | None = None


_RULES = (
    Check(
        ("expression",),
        lambda args: expression_problem(args.expression) is not None,
        lambda args: f"expression {expression_problem(args.expression)}",
    ),
    Check(
        ("time_zone",),
        lambda args: time_zone_problem(args.time_zone) is not None,
        lambda args: f"time_zone {time_zone_problem(args.time_zone)}",
    ),
    Range("flexible_window_minutes", 0, 1_440, "minutes"),
    Range("maximum_retry_attempts", 0, 185, "attempts"),
    Range("maximum_event_age_seconds", 60, 86_400, "seconds"),
)


class Schedule(Component):
    """A schedule with the role that runs its task, and a dead-letter queue for the runs that could not be started.

    Attributes:
        arn, schedule_name: of the schedule.
        dead_letter_queue: `DeadLetterQueue` ``<name>-unstarted``.
        schedule: the raw schedule.
    """

    def __init__(self, name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"Schedule {name!r}", args, (*_RULES, _fits(name)))
        self.dead_letter_queue = DeadLetterQueue(
            f"{name}-unstarted", DeadLetterQueueArgs(encryption_key=args.encryption_key), self.child()
        )
        self.dead_letter_queue.refuse_redrive()
        role, policy = create_service_role(
            self,
            f"{name}-schedule-role",
            service="scheduler.amazonaws.com",
            statements=[*args.task.run(), *self.dead_letter_queue.send()],
            description=f"Lets EventBridge Scheduler run the task of {name}",
        )
        window = args.flexible_window_minutes
        self.schedule = aws.scheduler.Schedule(
            name,
            description=args.description,
            schedule_expression=args.expression,
            schedule_expression_timezone=args.time_zone,
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(
                mode="FLEXIBLE" if window else "OFF", maximum_window_in_minutes=window or None
            ),
            state="ENABLED" if args.enabled else "DISABLED",
            target=self._target(args, role),
            # Scheduler checks when the schedule is made that the role may be assumed, and needs its permissions after.
            opts=self.child(depends_on=[policy] if policy else None),
        )
        self.arn: pulumi.Output[str] = self.schedule.arn
        self.schedule_name: pulumi.Output[str] = self.schedule.name
        self.publish({"arn": self.arn, "dead_letter_queue_url": self.dead_letter_queue.url})

    def _target(self, args: ScheduleArgs, role: aws.iam.Role) -> aws.scheduler.ScheduleTargetArgs:
        task = args.task
        return aws.scheduler.ScheduleTargetArgs(
            arn=task.cluster.arn,
            role_arn=role.arn,
            input=json.dumps(_overrides(self.name, args)),
            ecs_parameters=aws.scheduler.ScheduleTargetEcsParametersArgs(
                task_definition_arn=task.family_arn,
                task_count=1,
                capacity_provider_strategies=[
                    aws.scheduler.ScheduleTargetEcsParametersCapacityProviderStrategyArgs(
                        capacity_provider=task.capacity_provider, weight=1
                    )
                ],
                network_configuration=aws.scheduler.ScheduleTargetEcsParametersNetworkConfigurationArgs(
                    subnets=task.network.task_subnet_ids,
                    security_groups=[task.network.task_security_group_id],
                    assign_public_ip=task.network.assign_public_ip,
                ),
                platform_version="LATEST",
                enable_ecs_managed_tags=True,
                propagate_tags="TASK_DEFINITION",
            ),
            retry_policy=aws.scheduler.ScheduleTargetRetryPolicyArgs(
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_event_age_in_seconds=args.maximum_event_age_seconds,
            ),
            dead_letter_config=aws.scheduler.ScheduleTargetDeadLetterConfigArgs(arn=self.dead_letter_queue.arn),
        )


def _overrides(name: str, args: ScheduleArgs) -> dict[str, Any]:
    """The event, whole: Scheduler delivers at least once, and both copies of a run have the same key."""
    event = {
        "id": "<aws.scheduler.execution-id>",
        "source": f"{name}.schedule",
        "detail-type": DETAIL_TYPE,
        "time": SCHEDULED_TIME,
        "detail": {
            "metadata": {"idempotency-key": f"{name}/{SCHEDULED_TIME}"},
            "data": {**args.data, "scheduled-time": SCHEDULED_TIME},
        },
    }
    return overrides(args.task.definition.container_name, {env.EVENT: json.dumps(event, separators=(",", ":"))})


def _fits(name: str) -> Check:
    def size(args: ScheduleArgs) -> int:
        return overrides_size(_overrides(name, args))

    return Check(
        ("data",),
        lambda args: size(args) > MAX_OVERRIDES_CHARACTERS,
        lambda args: (
            f"data makes {size(args):,} characters of overrides; ECS allows {MAX_OVERRIDES_CHARACTERS:,}: use S3"
        ),
    )
