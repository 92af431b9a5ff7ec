"""Bucket: a private S3 bucket, which may tell the account's default bus of everything that happens in it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document

__all__ = ["Bucket", "BucketArgs"]


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """Arguments of `Bucket`.

    Attributes:
        force_destroy: empty it when the stack is destroyed; default False: a bucket with objects stays.
        events: tell the default bus of each object that comes, changes and goes; default True.
        versioned: keep what is overwritten or deleted, billed as storage; default False.
    """

    force_destroy: bool = False
    events: bool = True
    versioned: bool = False


class Bucket(Component):
    """A private bucket (SSE-S3, which S3 applies by itself), TLS only, with its events on EventBridge.

    Attributes:
        arn, bucket_name: of the bucket.
        policy: exists before the first object should.
        notification, versioning: likewise; None without `events`, or without `versioned`.
        bucket: the raw bucket.
    """

    def __init__(self, name: str, args: BucketArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or BucketArgs()
        self.bucket = aws.s3.Bucket(name, force_destroy=args.force_destroy, opts=self.child())
        self.arn: pulumi.Output[str] = self.bucket.arn
        self.bucket_name: pulumi.Output[str] = self.bucket.bucket
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=self.bucket_name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.child(),
        )
        # S3 refuses two changes of a bucket's configuration at the same time, so one follows the other.
        self.policy = self._create_policy(closed)
        self.notification = self._notify() if args.events else None
        self.versioning = self._keep_versions() if args.versioned else None
        self.publish({"arn": self.arn, "bucket_name": self.bucket_name})

    @property
    def ready(self) -> list[pulumi.Resource]:
        """What exists before the first object should."""
        return [item for item in (self.policy, self.notification, self.versioning) if item]

    def read(self) -> list[Statement]:
        """GetObject and its attributes, of every object and version."""
        return [
            Statement(
                actions=["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"],
                resources=[pulumi.Output.concat(self.arn, "/*")],
            ),
            # Without it a missing object is answered with 403 instead of 404.
            Statement(actions=["s3:ListBucket"], resources=[self.arn]),
        ]

    def write(self, prefix: str = "") -> list[Statement]:
        """PutObject below a prefix, in parts if it is large, and what a writer reads back to go on."""
        return [
            Statement(
                actions=["s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
                resources=[pulumi.Output.concat(self.arn, f"/{prefix}*")],
            )
        ]

    def _notify(self) -> aws.s3.BucketNotification:
        return aws.s3.BucketNotification(
            f"{self.name}-events",
            bucket=self.bucket_name,
            eventbridge=True,
            opts=self.child(depends_on=[self.policy]),
        )

    def _keep_versions(self) -> aws.s3.BucketVersioning:
        return aws.s3.BucketVersioning(
            f"{self.name}-versions",
            bucket=self.bucket_name,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self.child(depends_on=[self.notification or self.policy]),
        )

    def _create_policy(self, closed: aws.s3.BucketPublicAccessBlock) -> aws.s3.BucketPolicy:
        return aws.s3.BucketPolicy(
            f"{self.name}-policy",
            bucket=self.bucket_name,
            policy=policy_document(
                [
                    Statement(
                        sid="DenyWithoutTls",
                        effect="Deny",
                        principals="*",
                        actions=["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
                        resources=[self.arn, pulumi.Output.concat(self.arn, "/*")],
                        conditions={"Bool": {"aws:SecureTransport": "false"}},
                    )
                ]
            ),
            opts=self.child(depends_on=[closed]),
        )
