"""AirflowAlarms: a scheduler that has stopped, and tasks that failed.

Namespace and dimensions: MWAA user guide, "Apache Airflow environment metrics in CloudWatch".
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.observability.alarms import Notice, Runbook
from components.workflows.airflow import AirflowEnvironment

__all__ = ["AirflowAlarms", "AirflowAlarmsArgs"]

_NAMESPACE = "AmazonMWAA"
_PERIOD_SECONDS = 300
_SILENT_PERIODS = 2


@dataclass(frozen=True, kw_only=True)
class AirflowAlarmsArgs:
    """Arguments of `AirflowAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        environment: whose metrics they watch.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    environment: AirflowEnvironment
    topic_arn: pulumi.Input[str] | None = None


class AirflowAlarms(Component):
    """Two alarms of one environment.

    Attributes:
        alarm_names: of both.
    """

    def __init__(self, name: str, args: AirflowAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        scheduler = self._alarm(
            f"{name}-scheduler",
            f"The schedulers of {args.pattern} have been silent for {_SILENT_PERIODS * _PERIOD_SECONDS // 60} minutes: "
            "no DAG starts.",
            metric_name="SchedulerHeartbeat",
            dimensions={"Function": "Scheduler"},
            comparison_operator="LessThanThreshold",
            threshold=1,
            evaluation_periods=_SILENT_PERIODS,
            # A scheduler that is gone sends nothing, which is just what this looks for.
            treat_missing_data="breaching",
        )
        failures = self._alarm(
            f"{name}-task-failures",
            f"An attempt of a task of {args.pattern} failed; Airflow may be about to repeat it.",
            metric_name="TaskInstanceFailures",
            dimensions={"DAG": "All", "Task": "All"},
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
        )
        self.alarm_names: list[pulumi.Output[str]] = [scheduler.name, failures.name]
        self.publish({"alarm_names": self.alarm_names})

    def _alarm(
        self,
        name: str,
        meaning: str,
        *,
        metric_name: str,
        dimensions: dict[str, str],
        comparison_operator: str,
        threshold: float,
        evaluation_periods: int,
        treat_missing_data: str,
    ) -> aws.cloudwatch.MetricAlarm:
        notice = Notice(
            meaning=meaning,
            command=f"status {self._args.pattern}",
            runbook=Runbook.AIRFLOW,
            topic_arn=self._args.topic_arn,
        )
        return aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=notice.description,
            namespace=_NAMESPACE,
            metric_name=metric_name,
            dimensions={**dimensions, "Environment": self._args.environment.environment_name},
            statistic="Sum",
            period=_PERIOD_SECONDS,
            evaluation_periods=evaluation_periods,
            comparison_operator=comparison_operator,
            threshold=threshold,
            treat_missing_data=treat_missing_data,
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )
