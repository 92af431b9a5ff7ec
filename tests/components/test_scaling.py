from __future__ import annotations

from typing import Any

import pytest

from components.compute import scaling_metrics
from components.compute.cluster import Cluster
from components.compute.container import ContainerArgs
from components.compute.scaling import QueueScaling, QueueScalingArgs, ScalingStep
from components.compute.service import Service, ServiceArgs
from components.compute.task_definition import TaskDefinition, TaskDefinitionArgs
from components.core.errors import InvalidArgsError
from components.network import Network, NetworkArgs
from components.stores.queue import Queue
from contracts.scaling import ScalingPolicy
from ops.local.server.metric_math import evaluate
from tests.recorder import ACCOUNT, REGION, Recorder, Resource, record

QUEUE = {"QueueName": "orders-0a1b2c3"}
SERVICE = {"ClusterName": "cluster-0a1b2c3", "ServiceName": "orders-0a1b2c3"}
RESOURCE_ID = "service/cluster-0a1b2c3/orders-0a1b2c3"
TARGET = {"resourceId": RESOURCE_ID, "scalableDimension": "ecs:service:DesiredCount", "serviceNamespace": "ecs"}
VISIBLE, IN_FLIGHT = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"


def scaled(*, preview: bool = False, **options: Any) -> Recorder:
    def program() -> None:
        container = ContainerArgs(image="public.ecr.aws/docker/library/python:3.13-slim")
        service = Service(
            "orders",
            ServiceArgs(
                cluster=Cluster("cluster"),
                task_definition=TaskDefinition("orders", TaskDefinitionArgs(container=container)),
                network=Network("network", NetworkArgs(vpc_id="vpc-1", subnet_ids=["subnet-1"])),
            ),
        )
        QueueScaling("orders", QueueScalingArgs(service=service, queue=Queue("orders"), **options))

    return record(program, preview=preview)


def policy(recorder: Recorder, name: str) -> dict[str, Any]:
    return dict(recorder.one("aws:appautoscaling/policy:Policy", name).inputs)


def alarm(recorder: Recorder, name: str) -> Resource:
    return recorder.one("aws:cloudwatch/metricAlarm:MetricAlarm", name)


def queries(resource: Resource) -> dict[str, dict[str, Any]]:
    return {
        query["id"]: {key: value for key, value in query.items() if key != "id"}
        for query in resource.inputs["metricQueries"]
    }


def alarm_metric(namespace: str, name: str, stat: str, dimensions: dict[str, str]) -> dict[str, Any]:
    metric = {"dimensions": dimensions, "metricName": name, "namespace": namespace, "period": 60, "stat": stat}
    return {"metric": metric, "returnData": False}


def step_policy(recorder: Recorder, name: str) -> dict[str, Any]:
    inputs = policy(recorder, name)
    assert inputs.pop("policyType") == "StepScaling"
    steps = inputs.pop("stepScalingPolicyConfiguration")
    assert inputs == TARGET
    assert isinstance(steps, dict)
    return steps


def test_the_default_follows_the_backlog_from_zero_and_back():
    recorder = scaled()
    assert recorder.names("aws:appautoscaling/policy:Policy") == ["orders-backlog", "orders-idle", "orders-wake"]
    assert recorder.names("MetricAlarm") == ["orders-idle-alarm", "orders-wake-alarm"]
    assert recorder.one("aws:appautoscaling/target:Target", "orders-target").inputs == {
        **TARGET,
        "minCapacity": 0,
        "maxCapacity": 10,
    }


def test_target_tracking_counts_messages_in_flight_and_running_tasks():
    inputs = policy(scaled(acceptable_latency_seconds=60, processing_seconds=2), "orders-backlog")
    configuration = inputs.pop("targetTrackingScalingPolicyConfiguration")
    assert inputs == {**TARGET, "policyType": "TargetTrackingScaling"}
    metrics = configuration.pop("customizedMetricSpecification")["metrics"]
    assert configuration == {"targetValue": 30, "scaleOutCooldown": 120, "scaleInCooldown": 300}

    def metric(identifier: str, namespace: str, name: str, stat: str, dimensions: dict[str, str]) -> dict[str, Any]:
        named = [{"name": key, "value": value} for key, value in dimensions.items()]
        measured = {"dimensions": named, "metricName": name, "namespace": namespace}
        return {"id": identifier, "metricStat": {"metric": measured, "stat": stat}, "returnData": False}

    assert metrics == [
        metric("visible", "AWS/SQS", VISIBLE, "Maximum", QUEUE),
        metric("in_flight", "AWS/SQS", IN_FLIGHT, "Maximum", QUEUE),
        metric("running", "AWS/ECS", "CPUUtilization", "SampleCount", SERVICE),
        {
            "id": "result",
            "expression": "(visible + in_flight) / running",
            "label": "Messages per running task",
            "returnData": True,
        },
    ]


def test_a_message_wakes_a_service_at_zero():
    recorder = scaled()
    assert step_policy(recorder, "orders-wake") == {
        "adjustmentType": "ChangeInCapacity",
        "cooldown": 180,
        "metricAggregationType": "Maximum",
        "stepAdjustments": [{"metricIntervalLowerBound": "0", "scalingAdjustment": 1}],
    }
    resource = alarm(recorder, "orders-wake-alarm")
    assert queries(resource) == {
        "result": {
            "expression": "IF((visible > 0) AND (FILL(running, 0) < 1), 1, 0)",
            "label": "Messages wait and no task runs",
            "returnData": True,
        },
        "visible": alarm_metric("AWS/SQS", VISIBLE, "Maximum", QUEUE),
        "running": alarm_metric("AWS/ECS", "CPUUtilization", "SampleCount", SERVICE),
    }
    inputs = {key: value for key, value in resource.inputs.items() if key != "metricQueries"}
    assert inputs == {
        "alarmActions": [f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:orders-wake-0a1b2c3"],
        "alarmDescription": "Not a fault: starts a task of orders when messages wait and none runs. Target tracking "
        "cannot: it multiplies the tasks that run.",
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "evaluationPeriods": 2,
        "threshold": 1,
        "treatMissingData": "notBreaching",
    }


def test_a_service_that_never_sleeps_needs_no_wake():
    recorder = scaled(min_tasks=1)
    assert recorder.names("aws:appautoscaling/policy:Policy") == ["orders-backlog", "orders-idle"]
    assert recorder.names("MetricAlarm") == ["orders-idle-alarm"]


@pytest.mark.parametrize("minimum", [0, 2])
def test_an_idle_service_goes_to_its_minimum(minimum: int):
    recorder = scaled(min_tasks=minimum, idle_periods=7, scale_in_cooldown_seconds=60)
    assert step_policy(recorder, "orders-idle") == {
        "adjustmentType": "ExactCapacity",
        "cooldown": 60,
        "metricAggregationType": "Maximum",
        "stepAdjustments": [{"metricIntervalUpperBound": "0", "scalingAdjustment": minimum}],
    }
    resource = alarm(recorder, "orders-idle-alarm")
    assert queries(resource) == {
        "result": {
            "expression": "visible + in_flight",
            "label": "Messages waiting or in flight",
            "returnData": True,
        },
        "visible": alarm_metric("AWS/SQS", VISIBLE, "Maximum", QUEUE),
        "in_flight": alarm_metric("AWS/SQS", IN_FLIGHT, "Maximum", QUEUE),
    }
    inputs = {key: value for key, value in resource.inputs.items() if key != "metricQueries"}
    assert inputs == {
        "alarmActions": [f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:orders-idle-0a1b2c3"],
        "alarmDescription": f"Not a fault: takes orders to its minimum of {minimum} when no message has been waiting "
        "or in flight for 7 minutes. In ALARM whenever the queue is idle.",
        "comparisonOperator": "LessThanOrEqualToThreshold",
        "evaluationPeriods": 7,
        "threshold": 0,
        "treatMissingData": "notBreaching",
    }


def test_queue_depth_adds_tasks_in_steps_and_needs_no_wake():
    recorder = scaled(policy=ScalingPolicy.QUEUE_DEPTH)
    assert recorder.names("aws:appautoscaling/policy:Policy") == ["orders-depth", "orders-idle"]
    assert step_policy(recorder, "orders-depth") == {
        "adjustmentType": "ChangeInCapacity",
        "cooldown": 300,
        "metricAggregationType": "Maximum",
        "stepAdjustments": [
            {"metricIntervalLowerBound": "0", "metricIntervalUpperBound": "99", "scalingAdjustment": 1},
            {"metricIntervalLowerBound": "99", "metricIntervalUpperBound": "999", "scalingAdjustment": 5},
            {"metricIntervalLowerBound": "999", "scalingAdjustment": 20},
        ],
    }
    assert alarm(recorder, "orders-depth-alarm").inputs == {
        "alarmActions": [f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:orders-depth-0a1b2c3"],
        "alarmDescription": "Not a fault: adds tasks of orders to the visible messages of its queue: +1 from 1, +5 from "
        "100, +20 from 1,000.",
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "dimensions": QUEUE,
        "evaluationPeriods": 1,
        "metricName": VISIBLE,
        "namespace": "AWS/SQS",
        "period": 60,
        "statistic": "Maximum",
        "threshold": 1,
        "treatMissingData": "notBreaching",
    }


def test_own_steps_are_relative_to_the_first():
    recorder = scaled(
        policy=ScalingPolicy.QUEUE_DEPTH,
        steps=[ScalingStep(10, 2), ScalingStep(50, 4)],
        scale_out_cooldown_seconds=30,
    )
    assert alarm(recorder, "orders-depth-alarm").inputs["threshold"] == 10
    steps = step_policy(recorder, "orders-depth")
    assert steps["cooldown"] == 30
    assert steps["stepAdjustments"] == [
        {"metricIntervalLowerBound": "0", "metricIntervalUpperBound": "40", "scalingAdjustment": 2},
        {"metricIntervalLowerBound": "40", "scalingAdjustment": 4},
    ]


def test_the_cooldowns_and_the_wake_can_be_set():
    recorder = scaled(scale_out_cooldown_seconds=0, scale_in_cooldown_seconds=600, wake_periods=1)
    configuration = policy(recorder, "orders-backlog")["targetTrackingScalingPolicyConfiguration"]
    assert (configuration["scaleOutCooldown"], configuration["scaleInCooldown"]) == (0, 600)
    assert alarm(recorder, "orders-wake-alarm").inputs["evaluationPeriods"] == 1


@pytest.mark.parametrize(("headroom", "target"), [(0, 30), (0.1, 27), (0.5, 15), (0.9, 3)])
def test_the_target_is_the_latency_without_its_headroom_over_the_processing_time(headroom: float, target: int):
    recorder = scaled(acceptable_latency_seconds=60, processing_seconds=2, headroom=headroom)
    tracking = policy(recorder, "orders-backlog")["targetTrackingScalingPolicyConfiguration"]
    assert tracking["targetValue"] == target


@pytest.mark.parametrize("chosen", list(ScalingPolicy))
def test_a_fixed_number_of_tasks_has_bounds_and_no_policy(chosen: ScalingPolicy):
    recorder = scaled(policy=chosen, min_tasks=3, max_tasks=3)
    target = recorder.one("aws:appautoscaling/target:Target").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (3, 3)
    assert recorder.of_type("aws:appautoscaling/policy:Policy") == []
    assert recorder.of_type("MetricAlarm") == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"min_tasks": 11},
            "min_tasks is 11, more than max_tasks (10); lower min_tasks or raise max_tasks",
        ),
        ({"min_tasks": -1}, "min_tasks is -1; allowed is a whole number from 0 to 5,000 tasks"),
        ({"max_tasks": 0}, "max_tasks is 0; allowed is a whole number from 1 to 5,000 tasks"),
        (
            {"acceptable_latency_seconds": 5, "processing_seconds": 7.5},
            "processing_seconds is 7.5, more than acceptable_latency_seconds (5): one message alone takes longer than "
            "that, however many tasks run; raise the latency or make the processing faster",
        ),
        ({"processing_seconds": 0}, "processing_seconds is 0; allowed is a number of seconds over 0"),
        (
            {"headroom": 0.95},
            "headroom is 0.95; allowed is a number from 0 to 0.9 of the acceptable latency",
        ),
        ({"policy": "cpu"}, "policy is 'cpu'; allowed is one of 'backlog-per-task', 'queue-depth'"),
        ({"wake_periods": 0}, "wake_periods is 0; allowed is a whole number from 1 to 10 minutes"),
        ({"idle_periods": 61}, "idle_periods is 61; allowed is a whole number from 1 to 60 minutes"),
        (
            {"scale_out_cooldown_seconds": -1},
            "scale_out_cooldown_seconds is -1; allowed is a whole number from 0 to 3,600 seconds",
        ),
        (
            {"steps": [ScalingStep(10, 2), ScalingStep(5, 4)]},
            "steps are [(10, 2), (5, 4)]; allowed are one or more pairs (visible messages, tasks to add) from (1, 1), "
            "ascending in both",
        ),
        (
            {"steps": []},
            "steps are []; allowed are one or more pairs (visible messages, tasks to add) from (1, 1), ascending in both",
        ),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], problem: str):
    with pytest.raises(InvalidArgsError) as caught:
        scaled(**options)
    assert str(caught.value) == f"QueueScaling 'orders': {problem}"


def test_queue_depth_does_not_ask_for_times():
    scaled(policy=ScalingPolicy.QUEUE_DEPTH, acceptable_latency_seconds=1, processing_seconds=10)


@pytest.mark.parametrize("chosen", list(ScalingPolicy))
def test_it_runs_with_unknown_outputs(chosen: ScalingPolicy):
    assert len(scaled(preview=True, policy=chosen).of_type("aws:appautoscaling/policy:Policy")) >= 2


MINUTE = 0.0
Case = tuple[float | None, float | None, float | None, float | None]


def value_of(expression: str, visible: float | None, in_flight: float | None, running: float | None) -> float | None:
    """The expression's value in one minute; None is a metric (or a result) without a sample."""
    named = {"visible": visible, "in_flight": in_flight, "running": running}
    series = {name: {} if value is None else {MINUTE: value} for name, value in named.items()}
    result = evaluate(expression, series, [MINUTE])
    assert isinstance(result, dict)
    return result.get(MINUTE)


@pytest.mark.parametrize(
    ("visible", "in_flight", "running", "expected"),
    [(90, 10, 4, 25), (0, 8, 4, 2), (0, 0, 4, 0), (100, 0, None, None), (None, None, 2, None)],
)
def test_the_backlog_per_task_has_no_value_without_a_task(
    visible: float | None, in_flight: float | None, running: float | None, expected: float | None
):
    assert value_of(scaling_metrics.BACKLOG_PER_TASK, visible, in_flight, running) == expected


@pytest.mark.parametrize(
    ("visible", "running", "expected"),
    [(1, None, 1), (500, None, 1), (1, 1, 0), (0, None, 0), (0, 3, 0), (None, None, None), (None, 2, None)],
)
def test_only_waiting_messages_without_a_task_are_unattended(
    visible: float | None, running: float | None, expected: float | None
):
    assert value_of(scaling_metrics.UNATTENDED, visible, None, running) == expected


@pytest.mark.parametrize(
    ("visible", "in_flight", "expected"), [(0, 0, 0), (0, 1, 1), (2, 1, 3), (None, None, None), (0, None, None)]
)
def test_a_queue_is_idle_only_when_it_says_so(visible: float | None, in_flight: float | None, expected: float | None):
    assert value_of(scaling_metrics.BACKLOG, visible, in_flight, None) == expected
