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


COPIES = """
copies = aws.s3.Bucket("copies")
key = aws.kms.Key("key")
aws.s3.BucketServerSideEncryptionConfiguration("encryption", bucket=copies.bucket, rules=[{
    "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
    "bucket_key_enabled": True,
}])
aws.s3.BucketLifecycleConfiguration("expiry", bucket=copies.bucket, rules=[
    {"id": "expire", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 1}}
])
pulumi.export("bucket", copies.bucket)
pulumi.export("key", key.arn)
"""


def test_a_bucket_is_encrypted_with_a_key_and_its_objects_expire(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path, COPIES)
    assert run.error == ""
    s3, bucket = account.client("s3"), run.outputs["bucket"]
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    default = rule["ApplyServerSideEncryptionByDefault"]
    assert (default["SSEAlgorithm"], default["KMSMasterKeyID"]) == ("aws:kms", run.outputs["key"])
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["ID"], rule["Status"], rule["Expiration"]) == ("expire", "Enabled", {"Days": 1})


AIRFLOW = """
dags = aws.s3.Bucket("dags")
versions = aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled")
kept = aws.s3.BucketVersioning("versions", bucket=dags.bucket, versioning_configuration=versions)
after = pulumi.ResourceOptions(depends_on=[kept])
text = aws.s3.BucketObjectv2("text", bucket=dags.bucket, key="requirements.txt", content="pandas", opts=after)
file = aws.s3.BucketObjectv2("file", bucket=dags.bucket, key="dags/a.py", source=pulumi.FileAsset(__file__), opts=after)
environment = aws.mwaa.Environment(
    "nightly",
    name="nightly",
    airflow_version="2.10.3",
    dag_s3_path="dags/",
    requirements_s3_path="requirements.txt",
    requirements_s3_object_version=text.version_id,
    source_bucket_arn=dags.arn,
    execution_role_arn="arn:aws:iam::000000000000:role/airflow",
    max_workers=3,
    network_configuration={"subnet_ids": ["subnet-1", "subnet-2"], "security_group_ids": ["sg-1"]},
)
pulumi.export("bucket", dags.bucket)
pulumi.export("version", text.version_id)
pulumi.export("arn", environment.arn)
"""


def test_objects_are_uploaded_and_an_airflow_environment_is_stored(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path, AIRFLOW)
    assert run.error == ""
    s3, bucket = account.client("s3"), run.outputs["bucket"]
    text = s3.get_object(Bucket=bucket, Key="requirements.txt")
    assert (text["Body"].read(), text["VersionId"]) == (b"pandas", run.outputs["version"])
    assert b"aws.mwaa.Environment" in s3.get_object(Bucket=bucket, Key="dags/a.py")["Body"].read()
    assert run.outputs["arn"].endswith(":environment/nightly")


def test_an_archive_is_refused(account: Account, tmp_path: Path) -> None:
    source = 'aws.s3.BucketObjectv2("zip", bucket="b", key="k", source=pulumi.FileArchive("/tmp"))'
    expected = "source is a FileArchive; the local environment uploads files and texts"
    assert expected in run_program(account, tmp_path, source).error
