"""Amazon Kinesis Data Streams: streams and their registered consumers."""

from __future__ import annotations

from typing import Any

from ops.local.deployer.registry import Created, Request, creates

__all__ = ["create_stream", "create_stream_consumer"]

_ON_DEMAND = "ON_DEMAND"
_ON_DEMAND_SHARDS = 4
"""What AWS gives a new on-demand stream; the embedded AWS would give one."""
_DEFAULT_RETENTION_HOURS = 24
_MAX_NAME = 128


@creates(
    "aws:kinesis/stream:Stream",
    "encryptionType",
    "enforceConsumerDeletion",  # concerns the deletion only
    "kmsKeyId",
    "maxRecordSizeInKib",
    "name",
    "retentionPeriod",
    "shardCount",
    "shardLevelMetrics",
    "streamModeDetails",
)
def create_stream(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    mode = (request.get("streamModeDetails") or {}).get("streamMode", "PROVISIONED")
    request.call(
        "kinesis",
        "create_stream",
        StreamName=name,
        ShardCount=request.get("shardCount") or (_ON_DEMAND_SHARDS if mode == _ON_DEMAND else 1),
        StreamModeDetails={"StreamMode": mode},
        MaxRecordSizeInKiB=request.get("maxRecordSizeInKib"),
    )
    request.client("kinesis").get_waiter("stream_exists").wait(
        StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    _configure(request, name)
    summary: dict[str, Any] = request.call("kinesis", "describe_stream_summary", StreamName=name)
    arn = summary["StreamDescriptionSummary"]["StreamARN"]
    return Created(arn, {"name": name, "arn": arn})


def _configure(request: Request, name: str) -> None:
    """What CreateStream does not take."""
    hours = request.get("retentionPeriod", _DEFAULT_RETENTION_HOURS)
    if hours > _DEFAULT_RETENTION_HOURS:
        request.call("kinesis", "increase_stream_retention_period", StreamName=name, RetentionPeriodHours=hours)
    if request.get("encryptionType") == "KMS":
        request.call(
            "kinesis",
            "start_stream_encryption",
            StreamName=name,
            EncryptionType="KMS",
            KeyId=request.get("kmsKeyId", "alias/aws/kinesis"),
        )
    if request.get("shardLevelMetrics"):
        request.call(
            "kinesis",
            "enable_enhanced_monitoring",
            StreamName=name,
            ShardLevelMetrics=request["shardLevelMetrics"],
        )


@creates("aws:kinesis/streamConsumer:StreamConsumer", "name", "streamArn")
def create_stream_consumer(request: Request) -> Created:
    name = request.physical_name(max_length=_MAX_NAME)
    consumer = request.call("kinesis", "register_stream_consumer", StreamARN=request["streamArn"], ConsumerName=name)[
        "Consumer"
    ]
    arn = consumer["ConsumerARN"]
    return Created(arn, {"name": name, "arn": arn, "creationTimestamp": str(consumer["ConsumerCreationTimestamp"])})
