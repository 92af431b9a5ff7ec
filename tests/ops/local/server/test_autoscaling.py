"""Application Auto Scaling: the API, and policies that act."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import Account
from tests.ops.local.server.helpers import Fargate, queue, wait_until

RUN = ["exec sleep 600"]
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/c/s",
    "ScalableDimension": "ecs:service:DesiredCount",
}


@pytest.fixture
def scaling(account: Account) -> Any:
    return account.client("application-autoscaling")


@pytest.fixture
def service(fargate: Fargate) -> Fargate:
    """The service c/s at zero tasks."""
    fargate.create_service("s", fargate.define("s", RUN), 0)
    return fargate


def _refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def _visible(query_id: str, metric: str, stat: str = "Maximum") -> dict[str, Any]:
    dimensions = [{"Name": "QueueName", "Value": "q"}]
    return {
        "Id": query_id,
        "ReturnData": False,
        "MetricStat": {
            "Metric": {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": dimensions},
            "Stat": stat,
        },
    }


def _backlog_per_task() -> list[dict[str, Any]]:
    dimensions = [{"Name": "ClusterName", "Value": "c"}, {"Name": "ServiceName", "Value": "s"}]
    tasks = {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Dimensions": dimensions}
    return [
        _visible("v", "ApproximateNumberOfMessagesVisible"),
        _visible("f", "ApproximateNumberOfMessagesNotVisible"),
        {"Id": "t", "ReturnData": False, "MetricStat": {"Metric": tasks, "Stat": "SampleCount"}},
        {"Id": "e", "ReturnData": True, "Expression": "IF(FILL(t, 0) > 0, (v + f) / t, v + f)", "Label": "backlog"},
    ]


def _track(scaling: Any, target_value: float, name: str = "track", **configuration: Any) -> None:
    settings = {
        "TargetValue": target_value,
        "CustomizedMetricSpecification": {"Metrics": _backlog_per_task()},
        "ScaleOutCooldown": 60,
        "ScaleInCooldown": 60,
    }
    scaling.put_scaling_policy(
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={**settings, **configuration},
        **TARGET,
    )


def _fill(account: Account, count: int) -> str:
    url, _ = queue(account, "q")
    sqs = account.client("sqs")
    for start in range(0, count, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, min(count, start + 10))]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    return url


def _desired(service: Fargate) -> int:
    return int(service.service("s")["desiredCount"])


def _activities(scaling: Any) -> list[dict[str, Any]]:
    """Of the service, oldest first. One is written down when ECS has taken the count."""
    found = scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId="service/c/s")
    return list(reversed(found["ScalingActivities"]))


def test_targets_are_registered_described_and_forgotten(service: Fargate, scaling: Any) -> None:
    arn = scaling.register_scalable_target(MinCapacity=0, MaxCapacity=5, Tags={"a": "1"}, **TARGET)["ScalableTargetARN"]
    scaling.register_scalable_target(MaxCapacity=7, SuspendedState={"DynamicScalingInSuspended": True}, **TARGET)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=["service/c/s"])[
        "ScalableTargets"
    ]
    assert (target["ScalableTargetARN"], target["MinCapacity"], target["MaxCapacity"]) == (arn, 0, 7)
    assert target["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    _track(scaling, 5)
    scaling.deregister_scalable_target(**TARGET)
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_what_aws_refuses_is_refused(service: Fargate, scaling: Any) -> None:
    register = scaling.register_scalable_target
    assert _refused(register, MinCapacity=3, MaxCapacity=2, **TARGET)[0] == "ValidationException"
    assert "required" in _refused(register, MinCapacity=3, **TARGET)[1]
    unknown = {**TARGET, "ResourceId": "service/c/none"}
    assert "doesn't exist" in _refused(register, MinCapacity=0, MaxCapacity=1, **unknown)[1]
    assert _refused(scaling.deregister_scalable_target, **TARGET)[0] == "ObjectNotFoundException"
    policy = {"TargetValue": 1.0, "CustomizedMetricSpecification": {"Metrics": _backlog_per_task()}}
    put = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling", **TARGET}
    refusal = _refused(scaling.put_scaling_policy, TargetTrackingScalingPolicyConfiguration=policy, **put)
    assert refusal[0] == "ObjectNotFoundException"
    register(MinCapacity=0, MaxCapacity=1, **TARGET)
    gap = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 5, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 6, "ScalingAdjustment": 2},
    ]
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": gap}
    put["PolicyType"] = "StepScaling"
    assert "gap" in _refused(scaling.put_scaling_policy, StepScalingPolicyConfiguration=step, **put)[1]
    assert _refused(scaling.delete_scaling_policy, PolicyName="p", **TARGET)[0] == "ObjectNotFoundException"


def test_scheduled_actions_are_stored(service: Fargate, scaling: Any) -> None:
    scaling.register_scalable_target(MinCapacity=0, MaxCapacity=5, **TARGET)
    scaling.put_scheduled_action(
        ScheduledActionName="night",
        Schedule="cron(0 22 * * ? *)",
        ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0},
        **TARGET,
    )
    (action,) = scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    assert action["Schedule"] == "cron(0 22 * * ? *)"
    scaling.delete_scheduled_action(ScheduledActionName="night", **TARGET)
    assert scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []


def test_a_minimum_above_the_desired_count_raises_it_at_once(service: Fargate, scaling: Any) -> None:
    scaling.register_scalable_target(MinCapacity=2, MaxCapacity=5, **TARGET)
    assert _desired(service) == 2
    (activity,) = scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId="service/c/s")[
        "ScalingActivities"
    ]
    assert activity["Description"] == "Setting desired count to 2."
    assert activity["StatusCode"] == "Successful"


def test_target_tracking_scales_out_by_the_formula_and_back_to_zero(
    service: Fargate, scaling: Any, account: Account
) -> None:
    url = _fill(account, 50)
    scaling.register_scalable_target(MinCapacity=0, MaxCapacity=10, **TARGET)
    # An emulated minute may be over before the tasks run: for a policy without a cooldown they would still be too few.
    _track(scaling, 12, ScaleOutCooldown=36_000)
    wait_until(lambda: _desired(service) > 0, "the service wakes")
    assert _desired(service) == 5, "ceil(50 / 12)"
    service.wait_for_running("s", 5)
    account.client("sqs").purge_queue(QueueUrl=url)
    _track(scaling, 12)
    wait_until(lambda: _desired(service) == 0, "it returns to zero")

    def causes() -> list[str]:
        return [activity["Cause"] for activity in _activities(scaling)]

    wait_until(lambda: "AlarmLow in state ALARM triggered policy track" in causes()[-1], "the activity says why")
    assert "AlarmHigh in state ALARM triggered policy track" in causes()[0]


def test_bounds_and_suspension_are_obeyed(service: Fargate, scaling: Any, account: Account) -> None:
    _fill(account, 50)
    scaling.register_scalable_target(
        MinCapacity=0, MaxCapacity=3, SuspendedState={"DynamicScalingOutSuspended": True}, **TARGET
    )
    _track(scaling, 1)
    queue(account, "clock")
    # The wake of a second, unsuspended service in the same account is the proof that time enough has passed.
    service.create_service("other", service.define("s", RUN), 0)
    other = {**TARGET, "ResourceId": "service/c/other"}
    scaling.register_scalable_target(MinCapacity=0, MaxCapacity=3, **other)
    metrics = [_visible("v", "ApproximateNumberOfMessagesVisible") | {"ReturnData": True}]
    configuration = {"TargetValue": 1.0, "CustomizedMetricSpecification": {"Metrics": metrics}}
    scaling.put_scaling_policy(
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
        **other,
    )
    wait_until(lambda: service.service("other")["desiredCount"] == 3, "the other service is at its maximum")
    assert _desired(service) == 0
    scaling.register_scalable_target(SuspendedState={"DynamicScalingOutSuspended": False}, **TARGET)
    wait_until(lambda: _desired(service) == 3, "scaling is resumed")


def _step_policy(scaling: Any, name: str, steps: list[dict[str, Any]], kind: str, cooldown: int = 0) -> str:
    configuration = {"AdjustmentType": kind, "StepAdjustments": steps, "Cooldown": cooldown}
    answer = scaling.put_scaling_policy(
        PolicyName=name, PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration, **TARGET
    )
    return str(answer["PolicyARN"])


def _alarm_on_depth(account: Account, name: str, policy_arn: str, comparison: str, threshold: float) -> None:
    account.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "q"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator=comparison,
        AlarmActions=[policy_arn],
    )


def test_a_step_policy_takes_the_step_of_the_breach_and_repeats_while_the_alarm_lasts(
    service: Fargate, scaling: Any, account: Account
) -> None:
    url = _fill(account, 15)
    scaling.register_scalable_target(MinCapacity=0, MaxCapacity=5, **TARGET)
    out = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 2},
    ]
    policy_arn = _step_policy(scaling, "out", out, "ChangeInCapacity")
    _alarm_on_depth(account, "high", policy_arn, "GreaterThanOrEqualToThreshold", 1)
    wait_until(lambda: len(_activities(scaling)) == 3, "the maximum")
    # A breach of 14 adds two, again and again.
    counts = [f"Setting desired count to {count}." for count in (2, 4, 5)]
    assert [activity["Description"] for activity in _activities(scaling)] == counts
    assert _activities(scaling)[0]["Cause"] == "monitor alarm high in state ALARM triggered policy out"
    assert _desired(service) == 5
    account.client("sqs").purge_queue(QueueUrl=url)
    zero = _step_policy(scaling, "in", [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": 0}], "ExactCapacity")
    _alarm_on_depth(account, "low", zero, "LessThanOrEqualToThreshold", 0)
    wait_until(lambda: _desired(service) == 0, "an empty queue sets it to zero")


def test_a_cooldown_keeps_a_step_policy_from_repeating(service: Fargate, scaling: Any, account: Account) -> None:
    _fill(account, 5)
    scaling.register_scalable_target(MinCapacity=0, MaxCapacity=9, **TARGET)
    steps = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
    policy_arn = _step_policy(scaling, "out", steps, "ChangeInCapacity", cooldown=360)
    _alarm_on_depth(account, "high", policy_arn, "GreaterThanOrEqualToThreshold", 1)
    wait_until(lambda: len(_activities(scaling)) >= 2, "a second activity")
    first, second = _activities(scaling)[:2]
    assert (second["StartTime"] - first["StartTime"]).total_seconds() >= 2.9, "360 emulated seconds are 3 real ones"


def test_set_alarm_state_calls_the_policy(service: Fargate, scaling: Any, account: Account) -> None:
    queue(account, "q")
    scaling.register_scalable_target(MinCapacity=0, MaxCapacity=9, **TARGET)
    policy_arn = _step_policy(
        scaling, "out", [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 4}], "ExactCapacity"
    )
    _alarm_on_depth(account, "high", policy_arn, "GreaterThanOrEqualToThreshold", 1)
    account.client("cloudwatch").set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="test")
    wait_until(lambda: _desired(service) == 4, "the policy has acted")


def test_an_unknown_service_is_answered_without_loading_all_models(account: Account) -> None:
    with pytest.raises(ClientError) as refused:
        account.client("medialive").list_channels()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
