"""BrokerAlarms: the broker itself, whoever uses it. BrokerWorkerAlarms: one queue and its workers."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute import broker_metrics, scaling_metrics
from components.compute.broker_metrics import QueueMetric
from components.core.base import Component
from components.core.validation import Range, check
from components.observability.alarms import Notice, Runbook
from components.stores.broker import Broker
from contracts.brokers import METRICS_NAMESPACE, BrokerEngine

__all__ = ["BrokerAlarms", "BrokerAlarmsArgs", "BrokerWorkerAlarms", "BrokerWorkerAlarmsArgs"]

_MINUTE_SECONDS = 60
_SUSTAINED_MINUTES = 5


@dataclass(frozen=True, kw_only=True)
class BrokerAlarmsArgs:
    """Arguments of `BrokerAlarms`.

    Attributes:
        broker: which is watched.
        pattern: the one that owns the broker, which `ops` commands take; default None: several share it.
        topic_arn: whom they notify; default None, nobody.
    """

    broker: Broker
    pattern: str | None = None
    topic_arn: pulumi.Input[str] | None = None


class BrokerAlarms(Component):
    """A broker that runs out of CPU, or of what it keeps messages in.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: BrokerAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        if args.broker.engine is BrokerEngine.RABBITMQ:
            watched = [("cpu", "SystemCpuUtilization", 90.0, "is at 90 % of its CPU or more")]
        else:
            watched = [
                ("cpu", "CpuUtilization", 90.0, "is at 90 % of its CPU or more"),
                (
                    "store",
                    "StorePercentUsage",
                    80.0,
                    "has filled 80 % of its store; when full, it takes no message",
                ),
                ("heap", "HeapUsage", 90.0, "has filled 90 % of its memory"),
            ]
        several = len(args.broker.metric_names) > 1
        alarms = [
            self._alarm(f"{purpose}-{number}" if several else purpose, metric, broker_name, threshold, meaning)
            for purpose, metric, threshold, meaning in watched
            for number, broker_name in enumerate(args.broker.metric_names, 1)
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _alarm(
        self, purpose: str, metric: str, broker_name: pulumi.Output[str], threshold: float, meaning: str
    ) -> aws.cloudwatch.MetricAlarm:
        pattern = self._args.pattern
        notice = Notice(
            meaning=f"The broker {self._args.broker.name} {meaning}.",
            command=f"status {pattern}" if pattern else "status",
            runbook=Runbook.BROKER,
            topic_arn=self._args.topic_arn,
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-{purpose}",
            alarm_description=notice.description,
            namespace=METRICS_NAMESPACE,
            metric_name=metric,
            dimensions={"Broker": broker_name},
            statistic="Average",
            period=_MINUTE_SECONDS,
            evaluation_periods=_SUSTAINED_MINUTES,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            treat_missing_data="ignore",  # the standby broker of a pair is silent
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )


@dataclass(frozen=True, kw_only=True)
class BrokerWorkerAlarmsArgs:
    """Arguments of `BrokerWorkerAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        broker, queue, dead_letter_queue: what is watched.
        waiting_messages: messages in the queue that raise an alarm, 1 to 10,000,000.
        no_consumer_minutes: minutes in which messages are there and no worker is connected, 5 to 60; default 10.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    broker: Broker
    queue: str
    dead_letter_queue: str
    waiting_messages: int
    no_consumer_minutes: int = 10
    topic_arn: pulumi.Input[str] | None = None


_RULES = (
    Range("waiting_messages", 1, 10_000_000, "messages"),
    Range("no_consumer_minutes", 5, 60, "minutes"),
)


class BrokerWorkerAlarms(Component):
    """Dead letters, too many messages, messages without a connected worker.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: BrokerWorkerAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"BrokerWorkerAlarms {name!r}", args, _RULES)
        self._args = args
        letters = broker_metrics.backlog(args.broker, args.dead_letter_queue)
        waiting = broker_metrics.backlog(args.broker, args.queue)
        workers = broker_metrics.consumers(args.broker, args.queue)
        alarms = [
            self._alarm(
                "dead-letters",
                f"Messages of {args.pattern} could not be processed and are in the queue {args.dead_letter_queue} of "
                "the broker, with the reason.",
                letters,
                threshold=1,
            ),
            self._alarm(
                "waiting",
                f"{args.waiting_messages:,} messages or more of {args.pattern} wait in the broker.",
                waiting,
                threshold=args.waiting_messages,
                minutes=_SUSTAINED_MINUTES,
            ),
            self._alarm(
                "no-consumer",
                f"Messages of {args.pattern} wait in the broker, and for {args.no_consumer_minutes} minutes no worker "
                "has been connected.",
                QueueMetric(
                    expression=f"IF(({waiting.expression} > 0) AND ({workers.expression} < 1), 1, 0)",
                    metrics=[*waiting.metrics, *workers.metrics],
                ),
                threshold=1,
                minutes=args.no_consumer_minutes,
            ),
        ]
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _alarm(
        self, purpose: str, meaning: str, metric: QueueMetric, *, threshold: int, minutes: int = 1
    ) -> aws.cloudwatch.MetricAlarm:
        notice = Notice(
            meaning=meaning,
            command=f"status {self._args.pattern}",
            runbook=Runbook.BROKER,
            topic_arn=self._args.topic_arn,
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-{purpose}",
            alarm_description=notice.description,
            metric_queries=scaling_metrics.alarm_queries(metric.expression, purpose, metric.metrics),
            evaluation_periods=minutes,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            treat_missing_data="ignore",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )
