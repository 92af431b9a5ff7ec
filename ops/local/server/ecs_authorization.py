"""Gap: with --auth, ECS calls are authorised on their own resource, with the condition key ``ecs:cluster``.

MiniStack takes the cluster for the resource of every call that names one and knows no condition keys of ECS, so a role
that may run one task definition in one cluster could run none. RunTask is authorised on the revision of the task
definition, DescribeTasks and StopTask on tasks (service authorization reference, "Actions defined by Amazon ECS").
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "cluster_arn", "install", "resource_arn"]

SEAMS = (
    "core.iam_actions.extract_resource_arn",
    "core.iam_actions.request_tag_context",
    "core.responses.get_account_id",
    "core.responses.get_region",
    "services.ecs._resolve_td_key",
)


def cluster_arn(body: bytes, region: str, account_id: str) -> str | None:
    """The ARN of the cluster that a request names, by name or ARN; None when it names none."""
    cluster = _document(body).get("cluster")
    if not isinstance(cluster, str) or not cluster:
        return None
    return cluster if cluster.startswith("arn:") else f"arn:aws:ecs:{region}:{account_id}:cluster/{cluster}"


def resource_arn(operation: str, body: bytes, region: str, account_id: str) -> str | None:
    """What RunTask, DescribeTasks or StopTask is authorised on; None: any other call, or nothing is named."""
    document = _document(body)
    if operation == "RunTask":
        named = str(document.get("taskDefinition") or "")
        # MiniStack keeps definitions as family:revision, and finds the latest revision of a bare family.
        key = ecs._resolve_td_key(named) if named else None
        return f"arn:aws:ecs:{region}:{account_id}:task-definition/{key}" if key else None
    tasks = document.get("tasks") if operation == "DescribeTasks" else [document.get("task")]
    first = str(tasks[0] or "") if isinstance(tasks, list) and tasks else ""
    if operation not in ("DescribeTasks", "StopTask") or not first:
        return None
    if first.startswith("arn:"):
        return first
    cluster = (cluster_arn(body, region, account_id) or "default").rpartition("/")[2]
    return f"arn:aws:ecs:{region}:{account_id}:task/{cluster}/{first}"


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def install(settings: ServerSettings) -> None:
    """Correct what MiniStack reads from a request."""
    context_of = iam_actions.request_tag_context

    def request_context(service: str, action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = context_of(service, action, body, parameters)
        arn = cluster_arn(body, get_region(), get_account_id()) if service == "ecs" else None
        return {**context, "ecs:cluster": arn} if arn else context

    extract = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, *rest: Any, **named: Any
    ) -> str:
        operation = str(headers.get("x-amz-target", "")).rpartition(".")[2]
        found = resource_arn(operation, body, get_region(), get_account_id()) if service == "ecs" else None
        return found or str(extract(service, method, path, headers, body, *rest, **named))

    iam_actions.request_tag_context = request_context
    iam_actions.extract_resource_arn = extract_resource_arn
