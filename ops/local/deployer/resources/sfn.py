"""AWS Step Functions: activities and state machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_activity", "create_state_machine"]

_MAX_NAME = 80


@creates("aws:sfn/activity:Activity", "name")
def create_activity(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    arn = request.call("stepfunctions", "create_activity", name=name)["activityArn"]
    return Created(arn, {"name": name, "arn": arn})


@creates(
    "aws:sfn/stateMachine:StateMachine",
    "definition",
    "loggingConfiguration",
    "name",
    "roleArn",
    "tracingConfiguration",
    "type",
)
def create_state_machine(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    tracing = request.get("tracingConfiguration")
    arn = request.call(
        "stepfunctions",
        "create_state_machine",
        name=name,
        definition=request["definition"],
        roleArn=request["roleArn"],
        type=request.get("type", "STANDARD"),
        loggingConfiguration=_logging(request.get("loggingConfiguration")),
        tracingConfiguration={"enabled": bool(tracing["enabled"])} if tracing else None,
    )["stateMachineArn"]
    return Created(arn, {"name": name, "arn": arn, "status": "ACTIVE"})


def _logging(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {
        "level": given.get("level", "OFF"),
        "includeExecutionData": bool(given.get("includeExecutionData")),
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": given["logDestination"]}}],
    }
