"""BrokerScaling: the number of a service's tasks follows its queue on a broker, to zero and back.

Target tracking between one task and the maximum; from zero, one task when messages are there and none runs; to the
minimum when no message is there for some minutes. As `QueueScaling`, with Amazon MQ's metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute import scaling_metrics
from components.compute.broker_metrics import backlog
from components.compute.scalable_service import Expression, ScalableService
from components.compute.scaling_rules import COOLDOWNS, MAX_TASKS, MINIMUM_BELOW_MAXIMUM, reachable_latency
from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Range, check
from components.stores.broker import Broker
from contracts.scaling import DEFAULT_ACCEPTABLE_LATENCY_SECONDS, backlog_per_task_target

__all__ = ["BrokerScaling", "BrokerScalingArgs"]

_WAKE_PERIODS = 2
_IDLE_PERIODS = 5


@dataclass(frozen=True, kw_only=True)
class BrokerScalingArgs:
    """Arguments of `BrokerScaling`.

    Attributes:
        service: which is scaled.
        broker, queue: which queue it works off.
        min_tasks: 0 to 5,000, not above `max_tasks`; default 1.
        max_tasks: 1 to 5,000; default 10. Equal to `min_tasks` it fixes the number, and there are no policies.
        acceptable_latency_seconds: how long a message may wait; default 900.
        processing_seconds: what a task spends on a message; default 1.
        scale_out_cooldown_seconds: 0 to 3,600; default 120: a task's start and its first sample.
        scale_in_cooldown_seconds: 0 to 3,600; default 300.
    """

    service: Service
    broker: Broker
    queue: str
    min_tasks: int = 1
    max_tasks: int = 10
    acceptable_latency_seconds: float = DEFAULT_ACCEPTABLE_LATENCY_SECONDS
    processing_seconds: float = 1
    scale_out_cooldown_seconds: int = 120
    scale_in_cooldown_seconds: int = 300


_RULES = (
    Range("min_tasks", 0, MAX_TASKS, "tasks"),
    Range("max_tasks", 1, MAX_TASKS, "tasks"),
    *COOLDOWNS,
    MINIMUM_BELOW_MAXIMUM,
    reachable_latency(),
)


class BrokerScaling(Component):
    """The scalable target of a service with its policies and the alarms that drive them.

    Attributes:
        backlog_per_task: messages per running task that are aimed at.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: BrokerScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"BrokerScaling {name!r}", args, _RULES)
        self.backlog_per_task = backlog_per_task_target(args.acceptable_latency_seconds, args.processing_seconds)
        scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=args.max_tasks)
        self.target = scalable.target
        if args.min_tasks < args.max_tasks:
            self._follow_backlog(scalable, args)
        self.publish({"resource_id": args.service.resource_id, "backlog_per_task": self.backlog_per_task})

    def _follow_backlog(self, scalable: ScalableService, args: BrokerScalingArgs) -> None:
        waiting, running = backlog(args.broker, args.queue), scaling_metrics.running(args.service)
        scalable.track(
            "backlog",
            Expression(
                expression=f"{waiting.expression} / running",
                label="Messages per running task",
                metrics=[*waiting.metrics, running],
            ),
            self.backlog_per_task,
            scale_out_cooldown_seconds=args.scale_out_cooldown_seconds,
            scale_in_cooldown_seconds=args.scale_in_cooldown_seconds,
        )
        if args.min_tasks == 0:
            scalable.wake(
                "messages",
                f"IF(({waiting.expression} > 0) AND (FILL(running, 0) < 1), 1, 0)",
                [*waiting.metrics, running],
                periods=_WAKE_PERIODS,
            )
        scalable.rest(
            Expression(expression=waiting.expression, label="Messages in the queue", metrics=waiting.metrics),
            "no message has been in the queue",
            periods=_IDLE_PERIODS,
            cooldown_seconds=args.scale_in_cooldown_seconds,
            idle="the queue is idle",
        )
