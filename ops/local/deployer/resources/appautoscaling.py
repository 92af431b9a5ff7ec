"""Application Auto Scaling: scalable targets and scaling policies."""

from __future__ import annotations

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_policy", "create_target"]

_DEFAULT_POLICY_TYPE = "StepScaling"  # the provider's


@creates(
    "aws:appautoscaling/target:Target",
    "maxCapacity",
    "minCapacity",
    "resourceId",
    "roleArn",
    "scalableDimension",
    "serviceNamespace",
    "suspendedState",
)
def create_target(request: Request) -> Created:
    answer = request.call(
        "application-autoscaling",
        "register_scalable_target",
        **request.pick(
            "maxCapacity",
            "minCapacity",
            "resourceId",
            "roleArn",
            "scalableDimension",
            "serviceNamespace",
            "suspendedState",
        ),
    )
    return Created(request["resourceId"], {"arn": answer.get("ScalableTargetARN", "")})


@creates(
    "aws:appautoscaling/policy:Policy",
    "name",
    "policyType",
    "resourceId",
    "scalableDimension",
    "serviceNamespace",
    "stepScalingPolicyConfiguration",
    "targetTrackingScalingPolicyConfiguration",
)
def create_policy(request: Request) -> Created:
    name = request.physical_name(max_length=256)
    answer = request.call(
        "application-autoscaling",
        "put_scaling_policy",
        PolicyName=name,
        PolicyType=request.get("policyType", _DEFAULT_POLICY_TYPE),
        **request.pick(
            "resourceId",
            "scalableDimension",
            "serviceNamespace",
            "stepScalingPolicyConfiguration",
            "targetTrackingScalingPolicyConfiguration",
        ),
    )
    alarm_arns = [alarm["AlarmARN"] for alarm in answer.get("Alarms", [])]
    return Created(name, {"name": name, "arn": answer["PolicyARN"], "alarmArns": alarm_arns})
