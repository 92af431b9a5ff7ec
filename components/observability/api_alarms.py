"""ApiAlarms: the alarms of an API: errors, latency, and tasks that fail their health checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.compute.http_api import HttpApi
from components.compute.load_balancer import LoadBalancer
from components.core.base import Component
from components.core.validation import Check, Range, check
from components.observability.alarms import Notice, Runbook

__all__ = ["ApiAlarms", "ApiAlarmsArgs"]

_MINUTE_SECONDS = 60
_MINUTES = 5
_BAD_MINUTES = 3


@dataclass(frozen=True, kw_only=True)
class ApiAlarmsArgs:
    """Arguments of `ApiAlarms`.

    Attributes:
        pattern: its name in the settings, which `ops` commands take.
        load_balancer, http_api: exactly one: whose metrics are watched.
        error_percent: 5xx answers of all answers, over 0 to 100, in three of five minutes; default 5.
        latency_seconds: 99th percentile, over 0 to 60, in three of five minutes; default 5.
        topic_arn: whom they notify; default None, nobody.
    """

    pattern: str
    load_balancer: LoadBalancer | None = None
    http_api: HttpApi | None = None
    error_percent: float = 5
    latency_seconds: float = 5
    topic_arn: pulumi.Input[str] | None = None


_RULES = (
    Range("error_percent", 0.01, 100, "percent", whole=False),
    Range("latency_seconds", 0.001, 60, "seconds", whole=False),
    Check(
        ("load_balancer", "http_api"),
        lambda args: (args.load_balancer is None) == (args.http_api is None),
        "set exactly one of load_balancer and http_api",
    ),
)

_Query = aws.cloudwatch.MetricAlarmMetricQueryArgs


@dataclass(frozen=True, kw_only=True)
class _Metrics:
    """What an ingress calls its metrics, in which unit, and with which dimensions."""

    namespace: str
    requests: str
    errors: Sequence[str]
    latency: str
    latency_unit_seconds: float
    dimensions: Mapping[str, pulumi.Input[str]]


class ApiAlarms(Component):
    """Errors, latency, and behind a load balancer unhealthy tasks.

    Attributes:
        alarm_names: of all of them.
    """

    def __init__(self, name: str, args: ApiAlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        check(f"ApiAlarms {name!r}", args, _RULES)
        self._args = args
        metrics = _metrics(args)
        alarms = [self._errors(metrics), self._latency(metrics)]
        if args.load_balancer is not None:
            alarms.append(self._unhealthy(args.load_balancer))
        self.alarm_names: list[pulumi.Output[str]] = [alarm.name for alarm in alarms]
        self.publish({"alarm_names": self.alarm_names})

    def _notice(self, meaning: str) -> Notice:
        return Notice(
            meaning=meaning,
            command=f"status {self._args.pattern}",
            runbook=Runbook.API,
            topic_arn=self._args.topic_arn,
        )

    def _errors(self, metrics: _Metrics) -> aws.cloudwatch.MetricAlarm:
        args = self._args
        notice = self._notice(f"{args.error_percent:g} % or more of the answers of {args.pattern} are errors (5xx).")
        # A minute without errors has no 5xx metric at all.
        failed = " + ".join(f"FILL(errors_{number}, 0)" for number, _ in enumerate(metrics.errors, 1))
        queries = [
            _Query(id="percent", expression=f"100 * ({failed}) / requests", label="Errors, percent", return_data=True),
            _query("requests", metrics, metrics.requests),
            *(_query(f"errors_{number}", metrics, metric) for number, metric in enumerate(metrics.errors, 1)),
        ]
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-errors",
            alarm_description=notice.description,
            metric_queries=queries,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=args.error_percent,
            evaluation_periods=_MINUTES,
            datapoints_to_alarm=_BAD_MINUTES,
            treat_missing_data="notBreaching",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )

    def _latency(self, metrics: _Metrics) -> aws.cloudwatch.MetricAlarm:
        args = self._args
        notice = self._notice(
            f"One in a hundred requests of {args.pattern} takes {args.latency_seconds:g} seconds or more."
        )
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-latency",
            alarm_description=notice.description,
            namespace=metrics.namespace,
            metric_name=metrics.latency,
            dimensions=metrics.dimensions,
            extended_statistic="p99",
            # A percentile of a handful of requests is the slowest of them.
            evaluate_low_sample_count_percentiles="ignore",
            period=_MINUTE_SECONDS,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=args.latency_seconds / metrics.latency_unit_seconds,
            evaluation_periods=_MINUTES,
            datapoints_to_alarm=_BAD_MINUTES,
            treat_missing_data="notBreaching",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )

    def _unhealthy(self, balancer: LoadBalancer) -> aws.cloudwatch.MetricAlarm:
        notice = self._notice(f"Tasks of {self._args.pattern} have failed their health checks for {_MINUTES} minutes.")
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-unhealthy",
            alarm_description=notice.description,
            namespace="AWS/ApplicationELB",
            metric_name="UnHealthyHostCount",
            dimensions={
                "LoadBalancer": balancer.arn_suffix,
                "TargetGroup": balancer.target_group_arn_suffix,
            },
            statistic="Maximum",
            period=_MINUTE_SECONDS,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=_MINUTES,
            treat_missing_data="notBreaching",
            alarm_actions=notice.actions,
            ok_actions=notice.actions,
            opts=self.child(),
        )


def _metrics(args: ApiAlarmsArgs) -> _Metrics:
    """Sources: "CloudWatch metrics for your Application Load Balancer" and "Monitoring metrics for HTTP APIs"."""
    if args.load_balancer is not None:
        return _Metrics(
            namespace="AWS/ApplicationELB",
            requests="RequestCount",
            # The tasks' own, and those that the load balancer gives for want of a task.
            errors=("HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"),
            latency="TargetResponseTime",
            latency_unit_seconds=1,
            dimensions={"LoadBalancer": args.load_balancer.arn_suffix},
        )
    assert args.http_api is not None
    return _Metrics(
        namespace="AWS/ApiGateway",
        requests="Count",
        errors=("5xx",),
        latency="Latency",
        latency_unit_seconds=0.001,
        dimensions={"ApiId": args.http_api.api_id},
    )


def _query(identifier: str, metrics: _Metrics, name: str) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
    return _Query(
        id=identifier,
        return_data=False,
        metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=metrics.namespace,
            metric_name=name,
            stat="Sum",
            period=_MINUTE_SECONDS,
            dimensions=metrics.dimensions,
        ),
    )
