"""AWS Lambda: functions, their URLs, permissions and event source mappings."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pulumi

from ops.local.deployer.names import autoname
from ops.local.deployer.registry import Created, Request, creates
from ops.local.errors import LocalError

__all__ = ["create_function", "create_mapping", "create_permission", "create_url"]

_MAX_NAME = 64
_READY = {"Delay": 1, "MaxAttempts": 30}


@creates(
    "aws:lambda/function:Function",
    "architectures",
    "code",
    "description",
    "environment",
    "handler",
    "loggingConfig",
    "memorySize",
    "name",
    "reservedConcurrentExecutions",
    "role",
    "runtime",
    "timeout",
)
def create_function(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    arn = request.call(
        "lambda",
        "create_function",
        FunctionName=name,
        Code={"ZipFile": _zip(request["code"])},
        **request.pick(
            "architectures",
            "description",
            "environment",
            "handler",
            "loggingConfig",
            "memorySize",
            "role",
            "runtime",
            "timeout",
        ),
    )["FunctionArn"]
    client = request.client("lambda")
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=_READY)
    if reserved := request.get("reservedConcurrentExecutions"):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    return Created(name, {"name": name, "arn": arn})


def _zip(archive: Any) -> bytes:
    """The archive's files as Pulumi would pack them."""
    if not isinstance(archive, pulumi.AssetArchive):
        raise LocalError(f"code is {type(archive).__name__}; the local environment packs an AssetArchive of files")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, asset in sorted(archive.assets.items()):
            if not isinstance(asset, pulumi.FileAsset):
                raise LocalError(f"code: {name!r} is {type(asset).__name__}; allowed is FileAsset")
            target.writestr(name, Path(asset.path).read_bytes())
    return packed.getvalue()


@creates("aws:lambda/functionUrl:FunctionUrl", "authorizationType", "functionName", "invokeMode", "qualifier")
def create_url(request: Request) -> Created:
    answer = request.call(
        "lambda",
        "create_function_url_config",
        AuthType=request["authorizationType"],
        **request.pick("functionName", "invokeMode", "qualifier"),
    )
    url = answer["FunctionUrl"]
    return Created(request["functionName"], {"functionUrl": url, "urlId": url.split("//")[1].split(".")[0]})


@creates(
    "aws:lambda/permission:Permission",
    "action",
    "function",
    "principal",
    "qualifier",
    "sourceAccount",
    "sourceArn",
    "statementId",
)
def create_permission(request: Request) -> Created:
    statement = request.get("statementId") or autoname(request.name, max_length=100)
    request.call(
        "lambda",
        "add_permission",
        StatementId=statement,
        FunctionName=request["function"],
        **request.pick("action", "principal", "qualifier", "sourceAccount", "sourceArn"),
    )
    return Created(statement, {"statementId": statement})


@creates(
    "aws:lambda/eventSourceMapping:EventSourceMapping",
    "batchSize",
    "enabled",
    "eventSourceArn",
    "filterCriteria",
    "functionName",
    "functionResponseTypes",
    "maximumBatchingWindowInSeconds",
    "scalingConfig",
)
def create_mapping(request: Request) -> Created:
    answer = request.call(
        "lambda",
        "create_event_source_mapping",
        **request.pick(
            "batchSize",
            "enabled",
            "eventSourceArn",
            "filterCriteria",
            "functionName",
            "functionResponseTypes",
            "maximumBatchingWindowInSeconds",
            "scalingConfig",
        ),
    )
    return Created(answer["UUID"], {"uuid": answer["UUID"], "functionArn": answer["FunctionArn"]})
