"""Pulumi's values become boto3's parameters, or a sentence that says why not."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from ops.local.deployer.errors import UnknownPropertyError
from ops.local.deployer.shapes import to_parameters
from ops.local.errors import LocalError


def _client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # the name is a variable
        service, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def test_names_and_types_follow_the_operation() -> None:
    steps = [{"metricIntervalLowerBound": "0", "metricIntervalUpperBound": None, "scalingAdjustment": 2.0}]
    values = {
        "policyName": "wake",
        "resourceId": "service/a/b",
        "stepScalingPolicyConfiguration": {"cooldown": 60.0, "stepAdjustments": steps},
    }
    assert to_parameters(_client("application-autoscaling"), "put_scaling_policy", values) == {
        "PolicyName": "wake",
        "ResourceId": "service/a/b",
        "StepScalingPolicyConfiguration": {
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}],
        },
    }


def test_the_keys_of_a_map_are_left_alone_and_its_values_are_texts() -> None:
    values = {"queueName": "q", "attributes": {"FifoQueue": True, "DelaySeconds": 3, "KmsMasterKeyId": None}}
    assert to_parameters(_client("sqs"), "create_queue", values) == {
        "QueueName": "q",
        "Attributes": {"FifoQueue": "true", "DelaySeconds": "3"},
    }


@pytest.mark.parametrize(
    ("service", "operation", "values", "message"),
    [
        ("ecs", "create_service", {"desiredCount": 1.5}, "CreateService.desiredCount: 1.5 is not a whole number"),
        ("ecs", "create_service", {"desiredCount": True}, "CreateService.desiredCount: True is not a number"),
        ("ecs", "create_service", {"desiredCount": "many"}, "'many' is not a number"),
        ("ecs", "create_service", {"enableExecuteCommand": "yes"}, "'yes' is not true or false"),
        ("ecs", "create_service", {"loadBalancers": {}}, "{} is not a list"),
        ("ecs", "create_service", {"deploymentConfiguration": []}, "[] is not an object"),
        ("ecs", "create_service", {"serviceName": ["a"]}, "['a'] is not a text"),
        ("sqs", "create_queue", {"attributes": ["a"]}, "['a'] is not an object"),
    ],
)
def test_a_value_of_another_type_is_refused(service: str, operation: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(LocalError) as caught:
        to_parameters(_client(service), operation, values)
    assert message in str(caught.value)


def test_an_unknown_member_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownPropertyError, match=r"CreateQueue\.colour: .* it has Attributes, QueueName, tags"):
        to_parameters(_client("sqs"), "create_queue", {"colour": "red"})
