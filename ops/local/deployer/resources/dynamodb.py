"""Amazon DynamoDB tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_table"]

_ON_DEMAND = "PAY_PER_REQUEST"
_DEFAULT_BILLING = "PROVISIONED"


@creates(
    "aws:dynamodb/table:Table",
    "attributes",
    "billingMode",
    "deletionProtectionEnabled",
    "globalSecondaryIndexes",
    "hashKey",
    "name",
    "pointInTimeRecovery",
    "rangeKey",
    "readCapacity",
    "serverSideEncryption",
    "streamEnabled",
    "streamViewType",
    "tableClass",
    "ttl",
    "writeCapacity",
)
def create_table(request: Request) -> Created:
    name = request.physical_name()
    billing = request.get("billingMode", _DEFAULT_BILLING)
    table = request.call(
        "dynamodb",
        "create_table",
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in request.get("attributes", [])
        ],
        KeySchema=_key_schema(request.inputs),
        BillingMode=billing,
        ProvisionedThroughput=_throughput(request.inputs, billing),
        GlobalSecondaryIndexes=[_index(index, billing) for index in request.get("globalSecondaryIndexes", [])] or None,
        SSESpecification=_encryption(request.get("serverSideEncryption")),
        StreamSpecification=_stream(request.inputs),
        **request.pick("deletionProtectionEnabled", "tableClass"),
    )["TableDescription"]
    request.client("dynamodb").get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    _configure(request, name)
    outputs = {"name": name, "arn": table["TableArn"], "streamArn": table.get("LatestStreamArn", "")}
    return Created(name, outputs)


def _configure(request: Request, name: str) -> None:
    """What CreateTable does not take."""
    ttl = request.get("ttl")
    if ttl and ttl.get("enabled"):
        request.call(
            "dynamodb",
            "update_time_to_live",
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl["attributeName"]},
        )
    recovery = request.get("pointInTimeRecovery")
    if recovery and recovery.get("enabled"):
        request.call(
            "dynamodb",
            "update_continuous_backups",
            TableName=name,
            PointInTimeRecoverySpecification={
                "PointInTimeRecoveryEnabled": True,
                "RecoveryPeriodInDays": recovery.get("recoveryPeriodInDays"),
            },
        )


def _key_schema(keys: Mapping[str, Any]) -> list[dict[str, str]]:
    if schemas := keys.get("keySchemas"):
        return [{"AttributeName": one["attributeName"], "KeyType": one["keyType"]} for one in schemas]
    roles = (("hashKey", "HASH"), ("rangeKey", "RANGE"))
    return [{"AttributeName": keys[key], "KeyType": role} for key, role in roles if keys.get(key)]


def _throughput(capacity: Mapping[str, Any], billing: str) -> dict[str, Any] | None:
    if billing == _ON_DEMAND:
        return None
    return {"ReadCapacityUnits": capacity.get("readCapacity"), "WriteCapacityUnits": capacity.get("writeCapacity")}


def _index(index: Mapping[str, Any], billing: str) -> dict[str, Any]:
    return {
        "IndexName": index["name"],
        "KeySchema": _key_schema(index),
        "Projection": {
            "ProjectionType": index["projectionType"],
            "NonKeyAttributes": index.get("nonKeyAttributes"),
        },
        "ProvisionedThroughput": _throughput(index, billing),
    }


def _encryption(settings: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """None leaves the key that AWS owns."""
    if not settings or not settings["enabled"]:
        return None
    return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": settings.get("kmsKeyArn")}


def _stream(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    if not inputs.get("streamEnabled"):
        return None
    return {"StreamEnabled": True, "StreamViewType": inputs["streamViewType"]}
