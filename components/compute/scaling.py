"""QueueScaling: the number of a service's tasks follows its queue, to zero and back.

=================  =====================================  ======================================================
policy             scale-out                              scale-in
=================  =====================================  ======================================================
backlog-per-task   target tracking; from zero: one task   target tracking; and to the minimum when nothing waits
                   when messages wait and none runs       or is in flight for `idle_periods`
queue-depth        steps on the visible messages          to the minimum, likewise
=================  =====================================  ======================================================

A busy task protects itself (`Cluster.protect_tasks`), so a scale-in stops idle ones first and waits for the others.
"""

from __future__ import annotations

import pulumi

from components.compute import scaling_metrics as metrics
from components.compute.scalable_service import Expression, ScalableService, step
from components.compute.scaling_args import DEFAULT_STEPS, SCALING_RULES, QueueScalingArgs, ScalingStep
from components.core.base import Component
from components.core.validation import check
from contracts.scaling import ScalingPolicy, backlog_per_task_target

__all__ = ["DEFAULT_STEPS", "QueueScaling", "QueueScalingArgs", "ScalingStep"]


class QueueScaling(Component):
    """The scalable target of a service with its policies and the alarms that drive them.

    Attributes:
        args: as given.
        backlog_per_task: messages per running task that are aimed at; None with queue-depth.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: QueueScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"QueueScaling {name!r}", args, SCALING_RULES)
        self.args = args
        self._scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=args.max_tasks)
        self.target = self._scalable.target
        self.backlog_per_task: int | None = None
        if args.policy == ScalingPolicy.BACKLOG_PER_TASK:
            self.backlog_per_task = backlog_per_task_target(
                args.acceptable_latency_seconds, args.processing_seconds, args.headroom
            )
        if args.min_tasks < args.max_tasks:
            if self.backlog_per_task is None:
                self._follow_depth(args)
            else:
                self._track_backlog(args, self.backlog_per_task)
                if args.min_tasks == 0:
                    self._wake(args)
            self._rest_when_idle(args)
        self.publish({"resource_id": args.service.resource_id, "backlog_per_task": self.backlog_per_task})

    def _track_backlog(self, args: QueueScalingArgs, backlog_per_task: int) -> None:
        cooldown = args.scale_out_cooldown_seconds
        self._scalable.track(
            "backlog",
            Expression(
                expression=metrics.BACKLOG_PER_TASK,
                label="Messages per running task",
                metrics=[metrics.visible(args.queue), metrics.in_flight(args.queue), metrics.running(args.service)],
            ),
            backlog_per_task,
            scale_out_cooldown_seconds=120 if cooldown is None else cooldown,
            scale_in_cooldown_seconds=args.scale_in_cooldown_seconds,
        )

    def _wake(self, args: QueueScalingArgs) -> None:
        self._scalable.wake(
            "messages",
            metrics.UNATTENDED,
            [metrics.visible(args.queue), metrics.running(args.service)],
            periods=args.wake_periods,
        )

    def _follow_depth(self, args: QueueScalingArgs) -> None:
        first = args.steps[0].visible_messages
        bounds = [item.visible_messages - first for item in args.steps]
        steps = ", ".join(f"+{item.add_tasks} from {item.visible_messages:,}" for item in args.steps)
        cooldown = args.scale_out_cooldown_seconds
        self._scalable.follow(
            "depth",
            metrics.visible(args.queue),
            f"Not a fault: adds tasks of {self.name} to the visible messages of its queue: {steps}.",
            "ChangeInCapacity",
            [
                step(item.add_tasks, lower=lower, upper=upper)
                for item, lower, upper in zip(args.steps, bounds, [*bounds[1:], None], strict=True)
            ],
            threshold=first,
            periods=1,
            cooldown_seconds=300 if cooldown is None else cooldown,
        )

    def _rest_when_idle(self, args: QueueScalingArgs) -> None:
        self._scalable.rest(
            Expression(
                expression=metrics.BACKLOG,
                label="Messages waiting or in flight",
                metrics=[metrics.visible(args.queue), metrics.in_flight(args.queue)],
            ),
            "no message has been waiting or in flight",
            periods=args.idle_periods,
            cooldown_seconds=args.scale_in_cooldown_seconds,
            idle="the queue is idle",
        )
