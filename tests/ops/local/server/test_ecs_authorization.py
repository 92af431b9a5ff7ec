"""The condition key ecs:cluster."""

from __future__ import annotations

import pytest

from ops.local.server.ecs_authorization import cluster_arn, resource_arn

ARN = "arn:aws:ecs:ap-southeast-2:123456789012:cluster/kitchen"


@pytest.mark.parametrize(
    ("body", "arn"),
    [
        (b'{"cluster": "kitchen"}', ARN),
        (f'{{"cluster": "{ARN}"}}'.encode(), ARN),
        (b"{}", None),
        (b"", None),
        (b"[]", None),
        (b"not json", None),
        (b'{"cluster": 3}', None),
    ],
)
def test_the_cluster_that_a_request_names(body: bytes, arn: str | None) -> None:
    assert cluster_arn(body, "ap-southeast-2", "123456789012") == arn


@pytest.mark.parametrize(
    ("operation", "body", "arn"),
    [
        ("DescribeTasks", b'{"cluster": "kitchen", "tasks": ["0a1b"]}', "task/kitchen/0a1b"),
        ("StopTask", b'{"cluster": "kitchen", "task": "0a1b"}', "task/kitchen/0a1b"),
        ("StopTask", b'{"task": "arn:aws:ecs:ap-southeast-2:123456789012:task/kitchen/0a1b"}', "task/kitchen/0a1b"),
        ("DescribeTasks", b'{"tasks": []}', None),
        ("DescribeServices", b'{"cluster": "kitchen"}', None),
        ("RunTask", b'{"cluster": "kitchen"}', None),
    ],
)
def test_the_resource_of_a_call_is_its_own(operation: str, body: bytes, arn: str | None) -> None:
    expected = f"arn:aws:ecs:ap-southeast-2:123456789012:{arn}" if arn else None
    assert resource_arn(operation, body, "ap-southeast-2", "123456789012") == expected
