"""Gap: "ECS Task State Change" events on the default bus at each transition of a task."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import ecs, eventbridge

from ops.local.server import task_lifecycle
from ops.local.server.event_loop import run_on_loop
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "detail", "install"]

SEAMS = ("services.eventbridge._put_events", "services.ecs._iso")

_NOT_ON_FARGATE = ("containerInstanceArn",)
_OPTIONAL_TEXTS = ("stopCode", "stoppedReason", "startedBy", "group", "capacityProviderName")


def detail(task: task_lifecycle.Task) -> dict[str, Any]:
    """The event's ``detail``: the task as DescribeTasks shows it, without what has no value."""
    document = {name: value for name, value in task.items() if name != "tags"}
    if task.get("launchType") == "FARGATE":
        for name in _NOT_ON_FARGATE:
            document.pop(name, None)
    for name in _OPTIONAL_TEXTS:
        if not document.get(name):
            document.pop(name, None)
    document["updatedAt"] = ecs._iso()
    return document


def _emit(task: task_lifecycle.Task) -> None:
    entry = {
        "Source": "aws.ecs",
        "DetailType": "ECS Task State Change",
        "Resources": [task["taskArn"]],
        "Detail": json.dumps(detail(task)),
    }
    run_on_loop(lambda: eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True))


def install(settings: ServerSettings) -> None:
    """Publish task transitions."""
    task_lifecycle.on_transition(_emit)
