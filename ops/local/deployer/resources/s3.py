"""Amazon S3: buckets, their policies, encryption and expiry, their events on the default bus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from ops.local.deployer.registry import Created, Request, creates
from ops.local.errors import LocalError

__all__ = [
    "create_bucket",
    "create_encryption",
    "create_lifecycle",
    "create_notification",
    "create_object",
    "create_policy",
    "create_public_access_block",
    "create_versioning",
]

_US_EAST_1 = "us-east-1"


@creates("aws:s3/bucket:Bucket", "bucket")
def create_bucket(request: Request) -> Created:
    name = request.physical_name(key="bucket", max_length=63)
    # S3 refuses us-east-1 as a location constraint: it is what no constraint means.
    place = None if request.region == _US_EAST_1 else {"LocationConstraint": request.region}
    request.call("s3", "create_bucket", Bucket=name, CreateBucketConfiguration=place)
    return Created(
        name, {"bucket": name, "arn": f"arn:aws:s3:::{name}", "bucketDomainName": f"{name}.s3.amazonaws.com"}
    )


@creates(
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "bucket",
    "blockPublicAcls",
    "blockPublicPolicy",
    "ignorePublicAcls",
    "restrictPublicBuckets",
)
def create_public_access_block(request: Request) -> Created:
    block = request.pick("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    request.call("s3", "put_public_access_block", Bucket=request["bucket"], PublicAccessBlockConfiguration=block)
    return Created(request["bucket"], {})


@creates("aws:s3/bucketPolicy:BucketPolicy", "bucket", "policy")
def create_policy(request: Request) -> Created:
    request.call("s3", "put_bucket_policy", Bucket=request["bucket"], Policy=request["policy"])
    return Created(request["bucket"], {})


@creates("aws:s3/bucketNotification:BucketNotification", "bucket", "eventbridge")
def create_notification(request: Request) -> Created:
    configuration: dict[str, dict[str, str]] = {"EventBridgeConfiguration": {}} if request.get("eventbridge") else {}
    request.call(
        "s3",
        "put_bucket_notification_configuration",
        Bucket=request["bucket"],
        NotificationConfiguration=configuration,
    )
    return Created(request["bucket"], {})


@creates("aws:s3/bucketVersioning:BucketVersioning", "bucket", "versioningConfiguration")
def create_versioning(request: Request) -> Created:
    request.call(
        "s3",
        "put_bucket_versioning",
        Bucket=request["bucket"],
        VersioningConfiguration=request["versioningConfiguration"],
    )
    return Created(request["bucket"], {})


@creates("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "bucket", "rules")
def create_encryption(request: Request) -> Created:
    request.call(
        "s3",
        "put_bucket_encryption",
        Bucket=request["bucket"],
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": _key_id(rule.get("applyServerSideEncryptionByDefault")),
                    "BucketKeyEnabled": rule.get("bucketKeyEnabled"),
                }
                for rule in request["rules"]
            ]
        },
    )
    return Created(request["bucket"], {})


def _key_id(default: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return (
        {"SSEAlgorithm": default["sseAlgorithm"], "KMSMasterKeyID": default.get("kmsMasterKeyId")} if default else None
    )


@creates("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "bucket", "rules")
def create_lifecycle(request: Request) -> Created:
    request.call(
        "s3",
        "put_bucket_lifecycle_configuration",
        Bucket=request["bucket"],
        LifecycleConfiguration={"Rules": request["rules"]},
    )
    return Created(request["bucket"], {})


@creates("aws:s3/bucketObjectv2:BucketObjectv2", "bucket", "key", "content", "source", "contentType")
def create_object(request: Request) -> Created:
    place = request.pick(Bucket="bucket", Key="key", ContentType="contentType")
    answer = request.client("s3").put_object(**place, Body=_content(request))
    return Created(
        request["key"], {"key": request["key"], "etag": answer["ETag"], "versionId": answer.get("VersionId", "")}
    )


def _content(request: Request) -> bytes:
    source = request.get("source")
    if source is None:
        return str(request.get("content", "")).encode()
    if isinstance(source, pulumi.FileAsset):
        return Path(source.path).read_bytes()
    if isinstance(source, pulumi.StringAsset):
        return source.text.encode()
    raise LocalError(f"source is a {type(source).__name__}; the local environment uploads files and texts")
