"""BrokerScaling: the number of a service's tasks follows its queue on a broker, to zero and back.

Target tracking between one task and the maximum; from zero, one task when messages are there and none runs; to the
minimum when no message is there for some minutes. As `QueueScaling`, with Amazon MQ's metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute import broker_metrics
from components.compute.backlog_scaling import BACKLOG_RULES, Backlog, BacklogScalingArgs, follow_backlog
from components.compute.scalable_service import Expression, ScalableService
from components.core.base import Component
from components.core.validation import check
from components.stores.broker import Broker
from contracts.scaling import backlog_per_task_target

__all__ = ["BrokerScaling", "BrokerScalingArgs"]


@dataclass(frozen=True, kw_only=True)
class BrokerScalingArgs(BacklogScalingArgs):
    """Arguments of `BrokerScaling`, beside those of `BacklogScalingArgs`.

    Attributes:
        broker, queue: which queue it works off.
        min_tasks: as there; default 1.
        max_tasks: 1 to 5,000; default 10. Equal to `min_tasks` it fixes the number, and there are no policies.
    """

    broker: Broker
    queue: str
    min_tasks: int = 1
    max_tasks: int = 10


class BrokerScaling(Component):
    """The scalable target of a service with its policies and the alarms that drive them.

    Attributes:
        args: as given.
        backlog_per_task: messages per running task that are aimed at.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: BrokerScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"BrokerScaling {name!r}", args, BACKLOG_RULES)
        self.args = args
        self.backlog_per_task = backlog_per_task_target(
            args.acceptable_latency_seconds, args.processing_seconds, args.headroom
        )
        scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=args.max_tasks)
        self.target = scalable.target
        if args.min_tasks < args.max_tasks:
            follow_backlog(scalable, args, _messages(args), self.backlog_per_task)
        self.publish({"resource_id": args.service.resource_id, "backlog_per_task": self.backlog_per_task})


def _messages(args: BrokerScalingArgs) -> Backlog:
    waiting = broker_metrics.backlog(args.broker, args.queue)
    return Backlog(
        signal=Expression(expression=waiting.expression, label="Messages in the queue", metrics=waiting.metrics),
        things="messages",
        label="Messages per running task",
        empty="no message has been in the queue",
        idle="the queue is idle",
    )
