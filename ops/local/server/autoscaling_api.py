"""Gap: the Application Auto Scaling API, for ECS services.

MiniStack has no such service. The answers and errors follow the API reference; what the policies do is in
`autoscaling_engine`. Scheduled actions are stored and shown, not acted upon.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import botocore.loaders
import ministack.app as ministack_app
from ministack.core import iam_actions, router
from ministack.core.responses import error_response_json, json_response

from ops.local.server import autoscaling_state as state
from ops.local.server.autoscaling_checks import (
    ApiError,
    check_step_scaling,
    check_target_tracking,
    not_found_error,
    resource_of,
    validation_error,
)
from ops.local.server.scopes import current_scope
from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "SERVICE", "install"]

SEAMS = (
    "app.SERVICE_HANDLERS",
    "core.router.SERVICE_PATTERNS",
    "core.router._KNOWN_AWS_SERVICE_NAMES",
    "core.iam_actions.SERVICE_TO_IAM_NAMESPACE",
    "services.ecs._services",
    "services.ecs._update_service",
)

SERVICE = "application-autoscaling"
_TARGET_PREFIX = "AnyScaleFrontendService"

Document = dict[str, Any]


def _register(data: Document) -> Document:
    resource = resource_of(data)
    service = state.service_of(resource.resource_id)
    if service is None:
        raise validation_error(f"ECS service doesn't exist: {resource.resource_id}")
    target: Document = state.targets.get(resource) or {}
    minimum = data.get("MinCapacity", target.get("MinCapacity"))
    maximum = data.get("MaxCapacity", target.get("MaxCapacity"))
    if minimum is None or maximum is None:
        raise validation_error("MinCapacity and MaxCapacity are required when registering a new scalable target")
    if minimum < 0 or maximum < 0:
        raise validation_error(f"capacity is {min(minimum, maximum)}; allowed: 0 and up")
    if minimum > maximum:
        raise validation_error(f"Maximum capacity cannot be less than minimum capacity ({maximum} < {minimum})")
    suspended = {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    scope = current_scope()
    role = (
        f"arn:aws:iam::{scope.account_id}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    )
    arn = target.get("ScalableTargetARN") or (
        f"arn:aws:application-autoscaling:{state.scope_text()}:scalable-target/{uuid.uuid4().hex}"
    )
    state.targets[resource] = {
        **resource.document(),
        "ScalableTargetARN": arn,
        "MinCapacity": int(minimum),
        "MaxCapacity": int(maximum),
        "RoleARN": data.get("RoleARN") or target.get("RoleARN") or role,
        "CreationTime": target.get("CreationTime") or time.time(),
        "SuspendedState": {**suspended, **(target.get("SuspendedState") or {}), **(data.get("SuspendedState") or {})},
    }
    if data.get("Tags"):
        state.tags[arn] = {**(state.tags.get(arn) or {}), **data["Tags"]}
    if int(service.get("desiredCount", 0)) < int(minimum):
        state.set_desired_count(resource, int(minimum), "the minimum capacity was set above the desired count")
    return {"ScalableTargetARN": arn}


def _deregister(data: Document) -> Document:
    resource = resource_of(data)
    target = state.targets.pop(resource, None)
    if target is None:
        raise not_found_error("scalable target", resource)
    state.tags.pop(target["ScalableTargetARN"], None)
    for store in (state.policies, state.scheduled_actions):
        for key in [key for key in store if key[0] == resource]:
            store.pop(key, None)
    return {}


def _describe_targets(data: Document) -> Document:
    return {"ScalableTargets": _matching(list(state.targets.values()), data, "ResourceIds", "ResourceId")}


def _put_policy(data: Document) -> Document:
    resource = resource_of(data)
    if state.targets.get(resource) is None:
        raise not_found_error("scalable target", resource)
    name = data["PolicyName"]
    before: Document = state.policies.get((resource, name)) or {}
    kind = data.get("PolicyType") or before.get("PolicyType") or "StepScaling"
    policy = {
        **before,
        **resource.document(),
        "PolicyName": name,
        "PolicyType": kind,
        "PolicyARN": before.get("PolicyARN")
        or f"arn:aws:autoscaling:{state.scope_text()}:scalingPolicy:{uuid.uuid4()}"
        f":resource/ecs/{resource.resource_id}:policyName/{name}",
        "Alarms": [],
        "CreationTime": before.get("CreationTime") or time.time(),
    }
    configurations = {
        "StepScaling": ("StepScalingPolicyConfiguration", check_step_scaling),
        "TargetTrackingScaling": ("TargetTrackingScalingPolicyConfiguration", check_target_tracking),
    }
    if kind not in configurations:
        raise validation_error(f"PolicyType is {kind}; allowed here: {', '.join(configurations)}")
    field, check = configurations[kind]
    configuration = data.get(field) or before.get(field)
    if not configuration:
        raise validation_error(f"{field} is missing for a policy of type {kind}")
    check(configuration)
    policy[field] = configuration
    state.policies[resource, name] = policy
    return {"PolicyARN": policy["PolicyARN"], "Alarms": []}


def _delete_policy(data: Document) -> Document:
    resource = resource_of(data)
    if state.policies.pop((resource, data["PolicyName"]), None) is None:
        raise not_found_error(f"scaling policy named {data['PolicyName']}", resource)
    return {}


def _describe_policies(data: Document) -> Document:
    return {"ScalingPolicies": _matching(list(state.policies.values()), data, "PolicyNames", "PolicyName")}


def _put_scheduled_action(data: Document) -> Document:
    resource = resource_of(data)
    if state.targets.get(resource) is None:
        raise not_found_error("scalable target", resource)
    name = data["ScheduledActionName"]
    before: Document = state.scheduled_actions.get((resource, name)) or {
        "ScheduledActionARN": f"arn:aws:autoscaling:{state.scope_text()}:scheduledAction:{uuid.uuid4()}"
        f":resource/ecs/{resource.resource_id}:scheduledActionName/{name}",
        "CreationTime": time.time(),
    }
    if not (data.get("Schedule") or before.get("Schedule")):
        raise validation_error("Schedule is missing")
    state.scheduled_actions[resource, name] = {**before, **data}
    return {}


def _delete_scheduled_action(data: Document) -> Document:
    resource = resource_of(data)
    if state.scheduled_actions.pop((resource, data["ScheduledActionName"]), None) is None:
        raise not_found_error(f"scheduled action named {data['ScheduledActionName']}", resource)
    return {}


def _describe_scheduled_actions(data: Document) -> Document:
    found = list(state.scheduled_actions.values())
    return {"ScheduledActions": _matching(found, data, "ScheduledActionNames", "ScheduledActionName")}


def _describe_activities(data: Document) -> Document:
    found = [activity for kept in state.activities.values() for activity in kept]
    found.sort(key=lambda activity: float(activity["StartTime"]), reverse=True)
    limit = int(data.get("MaxResults") or len(found) or 1)
    return {"ScalingActivities": _matching(found, data, "ActivityIds", "ActivityId")[:limit]}


def _tagged(data: Document) -> Document:
    arn = data.get("ResourceARN") or ""
    if not any(target["ScalableTargetARN"] == arn for target in state.targets.values()):
        raise ApiError("ResourceNotFoundException", f"The specified resource doesn't exist: {arn}")
    found: Document = state.tags.setdefault(arn, {})
    return found


def _list_tags(data: Document) -> Document:
    return {"Tags": dict(_tagged(data))}


def _tag(data: Document) -> Document:
    _tagged(data).update(data.get("Tags") or {})
    return {}


def _untag(data: Document) -> Document:
    found = _tagged(data)
    for key in data.get("TagKeys") or []:
        found.pop(key, None)
    return {}


def _matching(found: list[Document], data: Document, names_field: str, name_field: str) -> list[Document]:
    """What a Describe request asks for."""

    def wanted(item: Document) -> bool:
        if item["ServiceNamespace"] != data.get("ServiceNamespace"):
            return False
        names = data.get(names_field)
        if names and item[name_field] not in names:
            return False
        return all(not data.get(name) or item[name] == data[name] for name in ("ResourceId", "ScalableDimension"))

    return [item for item in found if wanted(item)]


_OPERATIONS: dict[str, Callable[[Document], Document]] = {
    "RegisterScalableTarget": _register,
    "DeregisterScalableTarget": _deregister,
    "DescribeScalableTargets": _describe_targets,
    "PutScalingPolicy": _put_policy,
    "DeleteScalingPolicy": _delete_policy,
    "DescribeScalingPolicies": _describe_policies,
    "PutScheduledAction": _put_scheduled_action,
    "DeleteScheduledAction": _delete_scheduled_action,
    "DescribeScheduledActions": _describe_scheduled_actions,
    "DescribeScalingActivities": _describe_activities,
    "ListTagsForResource": _list_tags,
    "TagResource": _tag,
    "UntagResource": _untag,
}


async def _handle(_method: str, _path: str, headers: dict[str, str], body: bytes, _query: Any) -> Any:
    operation = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    function = _OPERATIONS.get(operation)
    if function is None:
        return error_response_json("UnknownOperationException", f"unknown operation {operation!r}", 400)
    try:
        # A thread: registering a target may change a service, which must not happen on the event loop.
        return json_response(await asyncio.to_thread(function, json.loads(body or b"{}")))
    except ApiError as error:
        return error_response_json(error.code, str(error), 400)


def install(settings: ServerSettings) -> None:
    """Serve the API."""
    ministack_app.SERVICE_HANDLERS[SERVICE] = _handle
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": [_TARGET_PREFIX], "host_patterns": [], "path_patterns": []}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = SERVICE
    # MiniStack would load all of botocore's models (390 MB) at the first request to a service that it does not have.
    names = botocore.loaders.create_loader().list_available_services("service-2")
    router._KNOWN_AWS_SERVICE_NAMES = frozenset([*names, *ministack_app.SERVICE_HANDLERS])
