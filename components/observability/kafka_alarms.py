"""The alarms of a Kafka cluster, whoever uses it, and those of one consumer group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute import scaling_metrics
from components.compute.kafka_scaling import UNATTENDED, lag_metric
from components.compute.service import Service
from components.core.base import Component
from components.core.validation import Check, Range, check
from components.observability.alarms import Notice, Runbook, dead_letter_alarm, unattended_alarm
from components.stores.queue import DeadLetterQueue
from components.streams.kafka import KafkaCluster, KafkaKind, KafkaTopic

__all__ = ["KafkaClusterAlarms", "KafkaClusterAlarmsArgs", "KafkaWorkerAlarms", "KafkaWorkerAlarmsArgs"]

_MINUTE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class KafkaClusterAlarmsArgs:
    """Arguments of `KafkaClusterAlarms`.

    Attributes:
        cluster: which is watched; provisioned: MSK looks after a serverless one itself, and has no metrics of it.
        disk_used_percent: of a broker's log disk that raises an alarm, 50 to 95; default 85 (MSK developer guide, "Best
            practices": from there on act at once).
        topic_arn: whom they notify; default None, nobody.
    """

    cluster: KafkaCluster
    disk_used_percent: int = 85
    topic_arn: pulumi.Input[str] | None = None


_CLUSTER_RULES = (
    Range("disk_used_percent", 50, 95, "percent"),
    Check(
        ("cluster",),
        lambda args: args.cluster.kind == KafkaKind.SERVERLESS,
        "the cluster is serverless; MSK publishes none of these metrics for it, leave the alarms out",
    ),
)


class KafkaClusterAlarms(Component):
    """Partitions that nobody serves, no controller, disks that run full.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: KafkaClusterAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"KafkaClusterAlarms {name!r}", args, _CLUSTER_RULES)
        self._args = args
        cluster = {"Cluster Name": args.cluster.cluster_name}
        alarms = [
            self._alarm(
                "offline-partitions",
                "OfflinePartitionsCount",
                cluster,
                threshold=1,
                minutes=3,
                meaning="Partitions have no leader: their records can be neither written nor read.",
            ),
            self._alarm(
                "no-controller",
                "ActiveControllerCount",
                cluster,
                threshold=0,
                minutes=5,
                comparison="LessThanOrEqualToThreshold",
                meaning="No broker is the controller: topics and leaders cannot change.",
            ),
            *(
                self._alarm(
                    f"disk-{broker}",
                    "KafkaDataLogsDiskUsed",
                    {**cluster, "Broker ID": str(broker)},
                    threshold=args.disk_used_percent,
                    minutes=5,
                    meaning=f"The disk of broker {broker} is {args.disk_used_percent} % full; at 100 % it stops.",
                )
                for broker in range(1, args.cluster.broker_count + 1)
            ),
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _alarm(
        self,
        purpose: str,
        metric: str,
        dimensions: Mapping[str, pulumi.Input[str]],
        *,
        threshold: int,
        minutes: int,
        meaning: str,
        comparison: str = "GreaterThanOrEqualToThreshold",
    ) -> aws.cloudwatch.MetricAlarm:
        notice = Notice(
            meaning=meaning, command="status", runbook=Runbook.KAFKA_CLUSTER, topic_arn=self._args.topic_arn
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-{purpose}",
            alarm_description=notice.description,
            namespace="AWS/Kafka",
            metric_name=metric,
            dimensions=dimensions,
            statistic="Maximum",
            period=_MINUTE_SECONDS,
            evaluation_periods=minutes,
            comparison_operator=comparison,
            threshold=threshold,
            # Brokers that say nothing are not known to be well: a cluster that is down must not look healthy.
            treat_missing_data="ignore",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )


@dataclass(frozen=True, kw_only=True)
class KafkaWorkerAlarmsArgs:
    """Arguments of `KafkaWorkerAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        cluster, topic, group: what its workers consume.
        on_failure: where records go that could not be processed.
        service: the workers.
        lag_seconds: age of the oldest record that is not committed, as MSK estimates it, 60 to 31,536,000.
        lag_records: records that wait, 1 and up; default None, without this alarm.
        no_task_minutes: minutes in which records wait and no task runs, 5 to 60; default 10.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    cluster: KafkaCluster
    topic: KafkaTopic
    group: str
    on_failure: DeadLetterQueue
    service: Service
    lag_seconds: int
    lag_records: int | None = None
    no_task_minutes: int = 10
    topic_arn: pulumi.Input[str] | None = None


_WORKER_RULES = (
    Range("lag_seconds", 60, 31_536_000, "seconds"),
    Range("lag_records", 1, 10**12, "records"),
    Range("no_task_minutes", 5, 60, "minutes"),
)


class KafkaWorkerAlarms(Component):
    """Records that could not be processed, records that wait too long, and records without a worker.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: KafkaWorkerAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"KafkaWorkerAlarms {name!r}", args, _WORKER_RULES)
        self._args = args
        pattern = args.pattern
        alarms = [
            dead_letter_alarm(
                self,
                f"{name}-dead-letters",
                args.on_failure,
                Notice(
                    meaning=f"Records of {pattern} could not be processed and are in its on-failure queue; they stay "
                    "for 14 days.",
                    command=f"peek-dlq {pattern}",
                    runbook=Runbook.DEAD_LETTER_QUEUE,
                    topic_arn=args.topic_arn,
                ),
            ),
            self._lag(
                "lag-time",
                "EstimatedMaxTimeLag",
                args.lag_seconds,
                f"A record of {pattern} has waited for {args.lag_seconds:,} seconds or more; the topic keeps records "
                f"for {args.topic.retention_hours:,} hours.",
            ),
            self._unattended(),
        ]
        if args.lag_records is not None:
            meaning = f"{args.lag_records:,} records or more of {pattern} wait."
            alarms.append(self._lag("lag-records", "SumOffsetLag", args.lag_records, meaning))
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _lag(self, purpose: str, metric_name: str, threshold: int, meaning: str) -> aws.cloudwatch.MetricAlarm:
        notice = self._notice(meaning, f"status {self._args.pattern}", Runbook.KAFKA_LAG)
        metric = lag_metric(self._args.cluster, self._args.topic, self._args.group, name=metric_name)
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-{purpose}",
            alarm_description=notice.description,
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=metric.dimensions,
            statistic=metric.stat,
            period=_MINUTE_SECONDS,
            evaluation_periods=3,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            # MSK says nothing of a group that rebalances all the time, which is no reason to call off an alarm.
            treat_missing_data="ignore",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )

    def _unattended(self) -> aws.cloudwatch.MetricAlarm:
        args = self._args
        notice = self._notice(
            f"Records of {args.pattern} wait, and for {args.no_task_minutes} minutes no task has run.",
            f"scale {args.pattern}",
            Runbook.RUN_TASK_FAILURES,
        )
        return unattended_alarm(
            self,
            f"{self.name}-no-running-task",
            notice,
            expression=UNATTENDED,
            label="Records wait and no task runs",
            metrics=[lag_metric(args.cluster, args.topic, args.group), scaling_metrics.running(args.service)],
            minutes=args.no_task_minutes,
        )

    def _notice(self, meaning: str, command: str, runbook: Runbook) -> Notice:
        return Notice(meaning=meaning, command=command, runbook=runbook, topic_arn=self._args.topic_arn)
