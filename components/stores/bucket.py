"""Bucket: a private S3 bucket, which may tell the account's default bus of everything that happens in it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.iam import Statement, policy_document
from components.core.validation import Range, check
from components.encryption import EncryptionKey

__all__ = ["Bucket", "BucketArgs"]


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """Arguments of `Bucket`.

    Attributes:
        force_destroy: empty it when the stack is destroyed; default False: a bucket with objects stays.
        events: tell the default bus of each object that comes, changes and goes; default True.
        versioned: keep what is overwritten or deleted, billed as storage; default False.
        expire_days: delete objects so many days after they were last written, 1 to 3,650; default None: they stay.
        encryption_key: customer-managed key; default None, which is SSE-S3 (free).
    """

    force_destroy: bool = False
    events: bool = True
    versioned: bool = False
    expire_days: int | None = None
    encryption_key: EncryptionKey | None = None


_RULES = (Range("expire_days", 1, 3_650, "days"),)


class Bucket(Component):
    """A private, encrypted bucket (SSE-S3 is S3's own default), TLS only, with its events on EventBridge.

    Attributes:
        arn, bucket_name: of the bucket.
        policy: exists before the first object should.
        notification, versioning, encryption: likewise; None without `events`, `versioned` or `encryption_key`.
        bucket: the raw bucket.
    """

    def __init__(self, name: str, args: BucketArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        args = args or BucketArgs()
        check(f"Bucket {name!r}", args, _RULES)
        self._key = args.encryption_key
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
        self.encryption = self._encrypt(self._key) if self._key else None
        if args.expire_days is not None:
            self._expire(args.expire_days)
        self.publish({"arn": self.arn, "bucket_name": self.bucket_name})

    @property
    def ready(self) -> list[pulumi.Resource]:
        """What exists before the first object should."""
        return [item for item in (self.policy, self.notification, self.versioning, self.encryption) if item]

    def read(self) -> list[Statement]:
        """GetObject and its attributes, of every object and version."""
        return [
            Statement(
                actions=["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"],
                resources=[pulumi.Output.concat(self.arn, "/*")],
            ),
            # Without it a missing object is answered with 403 instead of 404.
            Statement(actions=["s3:ListBucket"], resources=[self.arn]),
            *self._use_key(),
        ]

    def write(self, prefix: str = "") -> list[Statement]:
        """PutObject below a prefix, in parts if it is large, and what a writer reads back to go on."""
        return [
            Statement(
                actions=["s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
                resources=[pulumi.Output.concat(self.arn, f"/{prefix}*")],
            ),
            *self._use_key(),
        ]

    def only(self, action: str, prefix: str) -> list[Statement]:
        """One action on the objects below a prefix, e.g. ``s3:PutObject``."""
        return [
            Statement(actions=[action], resources=[pulumi.Output.concat(self.arn, f"/{prefix}*")]),
            *self._use_key(),
        ]

    def _use_key(self) -> list[Statement]:
        return [self._key.use()] if self._key else []

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

    def _encrypt(self, key: EncryptionKey) -> aws.s3.BucketServerSideEncryptionConfiguration:
        return aws.s3.BucketServerSideEncryptionConfiguration(
            f"{self.name}-encryption",
            bucket=self.bucket_name,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=(
                        aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                            sse_algorithm="aws:kms", kms_master_key_id=key.arn
                        )
                    ),
                    bucket_key_enabled=True,
                )
            ],
            opts=self.child(depends_on=[self.versioning or self.notification or self.policy]),
        )

    def _expire(self, days: int) -> None:
        aws.s3.BucketLifecycleConfiguration(
            f"{self.name}-expiry",
            bucket=self.bucket_name,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
                )
            ],
            opts=self.child(depends_on=[self.encryption or self.versioning or self.notification or self.policy]),
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
