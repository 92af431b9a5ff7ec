"""Count the items that the running maps of a state machine have left, once a minute.

Step Functions publishes how many tasks of an activity were scheduled and started in a minute, which is no backlog: it
would have to be summed from the beginning, and best-effort metrics do not add up. A map run knows exactly.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contracts import environment as env
from contracts import metrics
from contracts.pool_functions import STATE_MACHINE_ARN

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["handle", "items_left"]

logging.getLogger().setLevel(logging.INFO)
logger = logging.getLogger(__name__)


def handle(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Lambda's entry point, for a tick of EventBridge."""
    states, cloudwatch = _clients()
    left = items_left(states, os.environ[STATE_MACHINE_ARN])
    dimensions = {metrics.STACK: os.environ[env.STACK], metrics.PATTERN: os.environ[env.PATTERN]}
    cloudwatch.put_metric_data(
        Namespace=metrics.NAMESPACE,
        MetricData=[
            {
                "MetricName": metrics.ITEMS_LEFT,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
                "Value": left,
                "Unit": "Count",
            }
        ],
    )
    logger.info("%s items left", left)
    return {"items_left": left}


def items_left(states: SFNClient, state_machine_arn: str) -> int:
    """Pending and running items of all map runs that run.

    Raises:
        ClientError: Step Functions cannot be asked; nothing is published then, for 0 would put the pool to sleep.
    """
    left = 0
    for execution_arn in _running(states, state_machine_arn):
        for run in states.list_map_runs(executionArn=execution_arn)["mapRuns"]:
            if "stopDate" in run:
                continue
            counts = states.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
            left += counts["pending"] + counts["running"]
    return left


def _running(states: SFNClient, state_machine_arn: str) -> Iterator[str]:
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=state_machine_arn, statusFilter="RUNNING")
    for page in pages:
        for execution in page["executions"]:
            yield execution["executionArn"]


@functools.cache
def _clients() -> tuple[SFNClient, CloudWatchClient]:
    config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=3, read_timeout=6)
    return boto3.client("stepfunctions", config=config), boto3.client("cloudwatch", config=config)
