"""Amazon EventBridge Scheduler: schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_schedule"]


@creates(
    "aws:scheduler/schedule:Schedule",
    "actionAfterCompletion",
    "description",
    "endDate",
    "flexibleTimeWindow",
    "groupName",
    "name",
    "scheduleExpression",
    "scheduleExpressionTimezone",
    "startDate",
    "state",
    "target",
)
def create_schedule(request: Request) -> Created:
    name = request.physical_name(max_length=64)
    target = dict(request["target"])
    parameters = target.pop("ecsParameters", None)
    arn = request.call(
        "scheduler",
        "create_schedule",
        Name=name,
        Target=target | {"ecsParameters": _ecs_parameters(parameters)},
        **request.pick(
            "actionAfterCompletion",
            "description",
            "endDate",
            "flexibleTimeWindow",
            "groupName",
            "scheduleExpression",
            "scheduleExpressionTimezone",
            "startDate",
            "state",
        ),
    )["ScheduleArn"]
    group = request.get("groupName", "default")
    return Created(f"{group}/{name}", {"name": name, "arn": arn, "groupName": group})


def _ecs_parameters(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    parameters = dict(given)
    strategy = parameters.pop("capacityProviderStrategies", None)
    if network := parameters.pop("networkConfiguration", None):
        public = "ENABLED" if network.get("assignPublicIp") else "DISABLED"
        parameters["networkConfiguration"] = {"awsvpcConfiguration": {**network, "assignPublicIp": public}}
    return parameters | {"capacityProviderStrategy": strategy}
