"""KafkaScaling: the number of a service's tasks follows the lag of its consumer group, to zero and back.

Target tracking on records of lag per running task; from zero, one task when there is lag and none runs; to the minimum
when there was no lag for `idle_periods`. Never more tasks than partitions: a member without one has no work.

MSK reports the lag of a group that has committed an offset, also while no member runs (MSK developer guide, "Monitor
consumer lags"). A group that never ran has none, so a new service begins with one task, not with zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.compute import scaling_metrics as metrics
from components.compute.backlog_scaling import Backlog, BacklogScalingArgs, follow_backlog
from components.compute.scalable_service import ScalableService
from components.compute.scaling_metrics import Metric
from components.compute.scaling_rules import COOLDOWNS, HEADROOM, reachable_latency
from components.core.base import Component
from components.core.validation import Check, Range, check
from components.streams.kafka import KafkaCluster, KafkaTopic
from contracts.scaling import backlog_per_task_target

__all__ = ["LAG_PER_TASK", "UNATTENDED", "KafkaScaling", "KafkaScalingArgs", "lag_metric"]

LAG_PER_TASK = metrics.per_task("lag")
UNATTENDED = metrics.unattended("lag")
"""1 while there is lag and no task runs."""


def lag_metric(
    cluster: KafkaCluster, topic: KafkaTopic, group: str, *, name: str = "SumOffsetLag", identifier: str = "lag"
) -> Metric:
    """A consumer-lag metric of MSK, e.g. ``SumOffsetLag``: records behind the group's commits, over all partitions."""
    return Metric(
        id=identifier,
        namespace="AWS/Kafka",
        name=name,
        stat="Maximum",
        dimensions={"Cluster Name": cluster.cluster_name, "Consumer Group": group, "Topic": topic.name},
    )


@dataclass(frozen=True, kw_only=True)
class KafkaScalingArgs(BacklogScalingArgs):
    """Arguments of `KafkaScaling`, beside those of `BacklogScalingArgs`.

    Attributes:
        cluster, topic, group: whose lag it works off.
        max_tasks: 1 to the topic's partitions; default None, the partitions. Equal to `min_tasks` it fixes the number.
        wake_periods: minutes in a row, 1 to 10, with lag and no task before one is started; default 2.
        idle_periods: minutes in a row, 1 to 60, without lag before the service goes to its minimum; default 5.
    """

    cluster: KafkaCluster
    topic: KafkaTopic
    group: str
    max_tasks: int | None = None
    wake_periods: int = 2
    idle_periods: int = 5

    @property
    def ceiling(self) -> int:
        """`max_tasks`, or as many as there are partitions."""
        return self.topic.partitions if self.max_tasks is None else self.max_tasks


_RULES = (
    Range("min_tasks", 0, 1_000, "tasks"),
    Range("max_tasks", 1, 1_000, "tasks"),
    *COOLDOWNS,
    HEADROOM,
    Range("wake_periods", 1, 10, "minutes"),
    Range("idle_periods", 1, 60, "minutes"),
    Check(
        ("max_tasks",),
        lambda args: args.ceiling > args.topic.partitions,
        lambda args: (
            f"max_tasks is {args.max_tasks}, more than the {args.topic.partitions} partitions of {args.topic.name}: "
            "the rest would have no work; lower it or raise partitions"
        ),
    ),
    Check(
        ("min_tasks", "max_tasks"),
        lambda args: args.min_tasks > args.ceiling,
        lambda args: f"min_tasks is {args.min_tasks}, more than max_tasks ({args.ceiling}); lower it",
    ),
    reachable_latency(),
)


class KafkaScaling(Component):
    """The scalable target of a service with its policies and the alarms that drive them.

    Attributes:
        args: as given.
        backlog_per_task: records of lag per running task that are aimed at.
        max_tasks: in force.
        target: the raw scalable target.
    """

    def __init__(self, name: str, args: KafkaScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"KafkaScaling {name!r}", args, _RULES)
        self.args = args
        self.backlog_per_task = backlog_per_task_target(
            args.acceptable_latency_seconds, args.processing_seconds, args.headroom
        )
        self.max_tasks = args.ceiling
        scalable = ScalableService(self, args.service, min_tasks=args.min_tasks, max_tasks=self.max_tasks)
        self.target = scalable.target
        if args.min_tasks < self.max_tasks:
            backlog = Backlog(
                signal=lag_metric(args.cluster, args.topic, args.group),
                things="records",
                label="Records of lag per running task",
                empty="its group has had no lag",
                idle="nothing waits",
                purpose="lag",
            )
            follow_backlog(
                scalable,
                args,
                backlog,
                self.backlog_per_task,
                wake_periods=args.wake_periods,
                idle_periods=args.idle_periods,
            )
        self.publish({"resource_id": args.service.resource_id, "backlog_per_task": self.backlog_per_task})
