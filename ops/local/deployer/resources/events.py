"""Amazon EventBridge: buses, their policies, rules, targets, archives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.local.deployer.names import autoname
from ops.local.deployer.registry import Created, Request, creates
from ops.local.errors import LocalError

__all__ = ["create_archive", "create_bus", "create_bus_policy", "create_rule", "create_target"]

_DEFAULT_BUS = "default"
_MAX_RULE_NAME = 64
_MAX_TARGET_ID = 64
_MAX_ARCHIVE_NAME = 48


@creates("aws:cloudwatch/eventBus:EventBus", "deadLetterConfig", "description", "kmsKeyIdentifier", "name")
def create_bus(request: Request) -> Created:
    name = request.physical_name(max_length=256)
    arn = request.call(
        "events",
        "create_event_bus",
        Name=name,
        **request.pick("deadLetterConfig", "description", "kmsKeyIdentifier"),
    )["EventBusArn"]
    return Created(name, {"name": name, "arn": arn})


@creates("aws:cloudwatch/eventBusPolicy:EventBusPolicy", "eventBusName", "policy")
def create_bus_policy(request: Request) -> Created:
    bus = request.get("eventBusName", _DEFAULT_BUS)
    request.call("events", "put_permission", EventBusName=bus, Policy=request["policy"])
    return Created(bus, {"eventBusName": bus})


@creates(
    "aws:cloudwatch/eventRule:EventRule",
    "description",
    "eventBusName",
    "eventPattern",
    "name",
    "roleArn",
    "scheduleExpression",
    "state",
)
def create_rule(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_RULE_NAME)
    bus = request.get("eventBusName", _DEFAULT_BUS)
    arn = request.call(
        "events",
        "put_rule",
        Name=name,
        EventBusName=bus,
        **request.pick("description", "eventPattern", "roleArn", "scheduleExpression", "state"),
    )["RuleArn"]
    return Created(name if bus == _DEFAULT_BUS else f"{bus}/{name}", {"name": name, "arn": arn, "eventBusName": bus})


@creates(
    "aws:cloudwatch/eventTarget:EventTarget",
    "arn",
    "deadLetterConfig",
    "ecsTarget",
    "eventBusName",
    "httpTarget",
    "input",
    "inputPath",
    "inputTransformer",
    "kinesisTarget",
    "retryPolicy",
    "roleArn",
    "rule",
    "sqsTarget",
    "targetId",
)
def create_target(request: Request) -> Created:
    bus = request.get("eventBusName", _DEFAULT_BUS)
    rule = request["rule"]
    target_id = request.get("targetId") or autoname("terraform", max_length=_MAX_TARGET_ID)
    target = {
        "id": target_id,
        "inputTransformer": _transformer(request.get("inputTransformer")),
        "ecsParameters": _ecs_parameters(request.get("ecsTarget")),
        **request.pick(
            "arn",
            "deadLetterConfig",
            "input",
            "inputPath",
            "retryPolicy",
            "roleArn",
            sqsParameters="sqsTarget",
            kinesisParameters="kinesisTarget",
            httpParameters="httpTarget",
        ),
    }
    answer = request.call("events", "put_targets", Rule=rule, EventBusName=bus, Targets=[target])
    if answer.get("FailedEntryCount"):  # PutTargets answers 200 all the same
        failed = answer["FailedEntries"][0]
        raise LocalError(f"PutTargets answered {failed['ErrorCode']}: {failed['ErrorMessage']}")
    return Created(f"{bus}-{rule}-{target_id}", {"targetId": target_id, "eventBusName": bus})


def _transformer(transformer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if transformer is None:
        return None
    renamed = {"inputPaths": "inputPathsMap"}
    return {renamed.get(key, key): value for key, value in transformer.items()}


def _ecs_parameters(target: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if target is None:
        return None
    parameters = dict(target)
    network = parameters.pop("networkConfiguration", None)
    strategies = parameters.pop("capacityProviderStrategies", None)
    if network is not None:
        public = network.get("assignPublicIp")
        vpc = {key: value for key, value in network.items() if key != "assignPublicIp"}
        vpc["assignPublicIp"] = None if public is None else ("ENABLED" if public else "DISABLED")
        parameters["networkConfiguration"] = {"awsvpcConfiguration": vpc}
    return parameters | {"capacityProviderStrategy": strategies}


@creates(
    "aws:cloudwatch/eventArchive:EventArchive",
    "description",
    "eventPattern",
    "eventSourceArn",
    "kmsKeyIdentifier",
    "name",
    "retentionDays",
)
def create_archive(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_ARCHIVE_NAME)
    arn = request.call(
        "events",
        "create_archive",
        ArchiveName=name,
        **request.pick("description", "eventPattern", "eventSourceArn", "kmsKeyIdentifier", "retentionDays"),
    )["ArchiveArn"]
    return Created(name, {"name": name, "arn": arn})
