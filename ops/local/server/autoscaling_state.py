"""What Application Auto Scaling knows: targets, policies, scheduled actions, activities and tags, by scope."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, NamedTuple

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import ecs

from ops.local.server.scopes import current_scope

__all__ = [
    "ScalableResource",
    "activities",
    "policies",
    "record_activity",
    "scheduled_actions",
    "scope_text",
    "service_of",
    "set_desired_count",
    "tags",
    "targets",
]

Document = dict[str, Any]

targets = AccountRegionScopedDict()  # ScalableResource -> target
policies = AccountRegionScopedDict()  # (ScalableResource, policy name) -> policy
scheduled_actions = AccountRegionScopedDict()  # (ScalableResource, action name) -> scheduled action
activities = AccountRegionScopedDict()  # ScalableResource -> [activity, newest first]
tags = AccountRegionScopedDict()  # target ARN -> {key: value}

_KEPT_ACTIVITIES = 200


class ScalableResource(NamedTuple):
    """What a target, a policy and an activity belong to."""

    namespace: str
    resource_id: str
    dimension: str

    @classmethod
    def of(cls, document: Document) -> ScalableResource:
        """The resource that a request names."""
        return cls(document["ServiceNamespace"], document["ResourceId"], document["ScalableDimension"])

    def document(self) -> Document:
        """As the API spells it."""
        return {
            "ServiceNamespace": self.namespace,
            "ResourceId": self.resource_id,
            "ScalableDimension": self.dimension,
        }


def service_of(resource_id: str) -> Document | None:
    """The ECS service behind ``service/<cluster>/<service>`` in the current scope."""
    _, _, key = resource_id.partition("/")
    service: Document | None = ecs._services.get(key)
    return service if service and service.get("status") == "ACTIVE" else None


def record_activity(resource: ScalableResource, *, description: str, cause: str, message: str, succeeded: bool) -> None:
    """Add a scaling activity of the current scope."""
    now = time.time()
    kept: list[Document] = activities.setdefault(resource, [])
    kept.insert(
        0,
        {
            "ActivityId": str(uuid.uuid4()),
            **resource.document(),
            "Description": description,
            "Cause": cause,
            "StartTime": now,
            "EndTime": now,
            "StatusCode": "Successful" if succeeded else "Failed",
            "StatusMessage": message,
        },
    )
    del kept[_KEPT_ACTIVITIES:]


def set_desired_count(resource: ScalableResource, count: int, cause: str) -> bool:
    """Set the desired count of the service and record the activity; returns whether ECS took it. Not on the loop."""
    cluster_name, _, service_name = resource.resource_id.removeprefix("service/").partition("/")
    request = {"cluster": cluster_name, "service": service_name, "desiredCount": count}
    status, _headers, body = ecs._update_service(request)
    succeeded = bool(status < 400)
    if succeeded:
        message = f"Successfully set desired count to {count}. Change successfully fulfilled by ecs."
    else:
        message = f"Failed to set desired count to {count}: {json.loads(body).get('message', '')}"
    record_activity(
        resource, description=f"Setting desired count to {count}.", cause=cause, message=message, succeeded=succeeded
    )
    return succeeded


def scope_text() -> str:
    """``region:account`` of the current scope, as ARNs have it."""
    scope = current_scope()
    return f"{scope.region}:{scope.account_id}"
