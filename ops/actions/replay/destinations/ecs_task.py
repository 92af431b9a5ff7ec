"""ECS tasks, as EventBridge and Scheduler run them: RunTask, with a client token for each task."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops.actions.replay.destinations.base import TAKEN, Answer
from ops.faults import Fault

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

__all__ = ["EcsCluster", "run_task_request"]

_NAMESPACE = uuid.UUID("7c3a4f0e-8b57-5d0c-9a53-2f6de1b8c4a1")
_PASSING = ("RESOURCE", "AGENT", "CAPACITY", "RATE EXCEEDED")
_STARTED_BY_CHARACTERS = 128


def run_task_request(
    cluster_arn: str, parameters: Mapping[str, Any], overrides: Mapping[str, Any] | None, started_by: str
) -> dict[str, Any]:
    """The arguments of RunTask that EcsParameters and an input stand for.

    Args:
        cluster_arn: the target.
        parameters: EcsParameters, as ListTargetsByRule or GetSchedule answers them.
        overrides: the target's input, a TaskOverride; None without one.
        started_by: shown by ECS.
    """
    request = _lower_case(parameters)
    definition, count = request.pop("taskDefinitionArn"), request.pop("taskCount", 1)
    request |= {"cluster": cluster_arn, "taskDefinition": definition, "count": count}
    request["startedBy"] = started_by[:_STARTED_BY_CHARACTERS]
    return request if overrides is None else {**request, "overrides": dict(overrides)}


class EcsCluster:
    """A cluster; what it gets is the arguments of RunTask.

    Each task is asked for by itself with a token of its own, so that a repeated attempt starts those that are missing
    and no other.

    Args:
        client: for the cluster's region, without retries of its own.
        arn: of the cluster.
    """

    max_entries = 1
    max_bytes = 1_048_576
    remembers_seconds = 3600.0
    """ECS developer guide, "Ensuring idempotency": at most a day, and not longer than the task and an hour."""

    def __init__(self, client: ECSClient, arn: str) -> None:
        self._client = client
        self.name = f"cluster {arn.rsplit('/', 1)[-1]}"

    def size(self, payload: dict[str, Any]) -> int:
        return len(json.dumps(payload))

    def send(self, items: Sequence[tuple[str, dict[str, Any]]]) -> Sequence[Answer | None]:
        [(token, request)] = items
        for number in range(request["count"]):
            client_token = str(uuid.uuid5(_NAMESPACE, f"{token}/{number}"))
            try:
                response = self._client.run_task(**{**request, "count": 1, "clientToken": client_token})
            except self._client.exceptions.ConflictException:
                continue  # the token is ours alone: an earlier attempt, with what the rule said then, started it
            except self._client.exceptions.InvalidParameterException as error:
                if _passing(str(error)):
                    return [Answer(Fault.THROTTLED, f"{self.name}: {error}")]
                raise
            # ECS answers 200 also when it started nothing.
            if failures := response.get("failures"):
                reason = str(failures[0].get("reason", "no reason given"))
                detail = f"{reason} {failures[0].get('detail', '')}".strip()
                fault = Fault.THROTTLED if _passing(reason) else Fault.INVALID
                return [Answer(fault, f"{self.name} started no task: {detail}")]
        return [TAKEN]


def _passing(reason: str) -> bool:
    """Whether a later attempt may find what was missing."""
    return any(word in reason.upper() for word in _PASSING)


def _lower_case(document: Any) -> Any:
    """EventBridge's parameters in the spelling of RunTask."""
    if isinstance(document, Mapping):
        return {name[:1].lower() + name[1:]: _lower_case(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_lower_case(value) for value in document]
    return document
