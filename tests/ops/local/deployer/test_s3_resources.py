"""Buckets: created by a Pulumi program, described by boto3."""

from __future__ import annotations

import json
from pathlib import Path

from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program

PROGRAM = """
import json
photos = aws.s3.Bucket("photos")
aws.s3.BucketPublicAccessBlock("photos-private", bucket=photos.bucket, block_public_acls=True, block_public_policy=True)
statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}
aws.s3.BucketPolicy("p", bucket=photos.bucket, policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
aws.s3.BucketNotification("photos-events", bucket=photos.bucket, eventbridge=True)
pulumi.export("bucket", photos.bucket)
pulumi.export("arn", photos.arn)
"""


def test_a_bucket_tells_the_default_bus(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path, PROGRAM)
    assert run.error == ""
    bucket = run.outputs["bucket"]
    assert bucket.startswith("photos-")
    assert run.outputs["arn"] == f"arn:aws:s3:::{bucket}"
    s3 = account.client("s3")
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert (block["BlockPublicAcls"], block["BlockPublicPolicy"]) == (True, True)
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Effect"] == "Deny"
