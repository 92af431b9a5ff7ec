"""Scaling policies and alarms: created by a Pulumi program, described by boto3."""

from __future__ import annotations

import pytest

from tests.emulator import Account
from tests.ops.local.deployer.deploying import Run, run_program

PROGRAM = """
cluster = aws.ecs.Cluster("main")
task = aws.ecs.TaskDefinition("worker", family="worker", cpu="256", memory="512", network_mode="awsvpc",
    requires_compatibilities=["FARGATE"], container_definitions='[{"name": "worker", "image": "worker"}]')
service = aws.ecs.Service("worker", cluster=cluster.arn, task_definition=task.arn, desired_count=0,
    launch_type="FARGATE")
target = aws.appautoscaling.Target("worker", min_capacity=0, max_capacity=20, service_namespace="ecs",
    resource_id=pulumi.Output.concat("service/", cluster.name, "/", service.name),
    scalable_dimension="ecs:service:DesiredCount")
of_target = dict(service_namespace=target.service_namespace, resource_id=target.resource_id,
    scalable_dimension=target.scalable_dimension)
queue_metric = {"namespace": "AWS/SQS", "metric_name": "ApproximateNumberOfMessagesVisible",
    "dimensions": [{"name": "QueueName", "value": "orders"}]}
tracking = aws.appautoscaling.Policy("backlog", policy_type="TargetTrackingScaling", **of_target,
    target_tracking_scaling_policy_configuration={
        "target_value": 30, "disable_scale_in": True, "scale_in_cooldown": 120, "scale_out_cooldown": 30,
        "customized_metric_specification": {"metrics": [
            {"id": "visible", "metric_stat": {"metric": queue_metric, "stat": "Sum"}, "return_data": False},
            {"id": "backlog", "expression": "FILL(visible, 0) / 2", "label": "backlog", "return_data": True}]}})
step = aws.appautoscaling.Policy("wake", **of_target, step_scaling_policy_configuration={
    "adjustment_type": "ExactCapacity", "cooldown": 60, "metric_aggregation_type": "Maximum",
    "step_adjustments": [{"metric_interval_lower_bound": "0", "metric_interval_upper_bound": "99.5",
                          "scaling_adjustment": 1},
                         {"metric_interval_lower_bound": "99.5", "scaling_adjustment": 5}]})
plain = aws.cloudwatch.MetricAlarm("visible", comparison_operator="GreaterThanOrEqualToThreshold",
    evaluation_periods=2, datapoints_to_alarm=1, threshold=1, treat_missing_data="notBreaching",
    namespace="AWS/SQS", metric_name="ApproximateNumberOfMessagesVisible", dimensions={"QueueName": "orders"},
    period=60, statistic="Maximum", alarm_actions=[step.arn], alarm_description="wake up")
math = aws.cloudwatch.MetricAlarm("idle", comparison_operator="LessThanThreshold", evaluation_periods=3, threshold=1,
    metric_queries=[
        {"id": "sum", "expression": "visible + flying", "label": "all", "return_data": True},
        {"id": "visible", "metric": {"namespace": "AWS/SQS", "metric_name": "ApproximateNumberOfMessagesVisible",
            "dimensions": {"QueueName": "orders"}, "period": 60, "stat": "Maximum"}},
        {"id": "flying", "metric": {"namespace": "AWS/SQS", "metric_name": "ApproximateNumberOfMessagesNotVisible",
            "dimensions": {"QueueName": "orders"}, "period": 60, "stat": "Maximum"}}])
for name, value in {"resource": target.resource_id, "tracking": tracking.name, "step": step.name,
                    "step_arn": step.arn, "plain": plain.name, "plain_arn": plain.arn, "math": math.name}.items():
    pulumi.export(name, value)
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, emulator: str) -> tuple[Account, Run]:
    account = Account(emulator)
    run = run_program(account, tmp_path_factory.mktemp("scaling"), PROGRAM)
    assert not run.error
    return account, run


def test_a_scalable_target_has_its_bounds(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    (target,) = account.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")[
        "ScalableTargets"
    ]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (run.outputs["resource"], 0, 20)


def test_policies_keep_their_metrics_and_steps(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    policies = {
        policy["PolicyName"]: policy
        for policy in account.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs")[
            "ScalingPolicies"
        ]
    }
    tracking = policies[run.outputs["tracking"]]["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 30
    assert (tracking["ScaleInCooldown"], tracking["ScaleOutCooldown"], tracking["DisableScaleIn"]) == (120, 30, True)
    assert tracking["CustomizedMetricSpecification"]["Metrics"] == [
        {
            "Id": "visible",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateNumberOfMessagesVisible",
                    "Dimensions": [{"Name": "QueueName", "Value": "orders"}],
                },
                "Stat": "Sum",
            },
            "ReturnData": False,
        },
        {"Id": "backlog", "Expression": "FILL(visible, 0) / 2", "Label": "backlog", "ReturnData": True},
    ]
    step = policies[run.outputs["step"]]
    assert step["PolicyType"] == "StepScaling"
    assert step["PolicyARN"] == run.outputs["step_arn"]
    assert step["StepScalingPolicyConfiguration"] == {
        "AdjustmentType": "ExactCapacity",
        "Cooldown": 60,
        "MetricAggregationType": "Maximum",
        "StepAdjustments": [
            {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 99.5, "ScalingAdjustment": 1},
            {"MetricIntervalLowerBound": 99.5, "ScalingAdjustment": 5},
        ],
    }


def test_alarms_on_a_metric_and_on_an_expression(deployed: tuple[Account, Run]) -> None:
    account, run = deployed
    names = [run.outputs["plain"], run.outputs["math"]]
    answer = account.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    alarms = {alarm["AlarmName"]: alarm for alarm in answer}
    plain = alarms[run.outputs["plain"]]
    assert plain["AlarmArn"] == run.outputs["plain_arn"]
    assert plain["Dimensions"] == [{"Name": "QueueName", "Value": "orders"}]
    assert plain["AlarmActions"] == [run.outputs["step_arn"]]
    assert (plain["EvaluationPeriods"], plain["DatapointsToAlarm"], plain["Threshold"]) == (2, 1, 1.0)
    assert (plain["TreatMissingData"], plain["AlarmDescription"]) == ("notBreaching", "wake up")
    queries = {query["Id"]: query for query in alarms[run.outputs["math"]]["Metrics"]}
    assert queries["sum"]["Expression"] == "visible + flying"
    assert queries["flying"]["MetricStat"] == {
        "Metric": {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesNotVisible",
            "Dimensions": [{"Name": "QueueName", "Value": "orders"}],
        },
        "Period": 60,
        "Stat": "Maximum",
    }
