"""Streams and consumers: created by a Pulumi program, described by boto3."""

from __future__ import annotations

from pathlib import Path

from tests.emulator import Account
from tests.ops.local.deployer.deploying import run_program

PROGRAM = """
clicks = aws.kinesis.Stream(
    "clicks",
    stream_mode_details={"stream_mode": "ON_DEMAND"},
    retention_period=48,
    encryption_type="KMS",
    kms_key_id="alias/aws/kinesis",
)
orders = aws.kinesis.Stream("orders", shard_count=2, stream_mode_details={"stream_mode": "PROVISIONED"})
consumer = aws.kinesis.StreamConsumer("clicks-billing", stream_arn=clicks.arn)
pulumi.export("clicks", clicks.name)
pulumi.export("orders", orders.name)
pulumi.export("consumer", consumer.arn)
"""


def test_streams_and_consumers_are_there(account: Account, tmp_path: Path) -> None:
    run = run_program(account, tmp_path, PROGRAM)
    assert run.error == ""
    kinesis = account.client("kinesis")
    clicks = kinesis.describe_stream_summary(StreamName=run.outputs["clicks"])["StreamDescriptionSummary"]
    assert run.outputs["clicks"].startswith("clicks-")
    assert (clicks["StreamModeDetails"]["StreamMode"], clicks["OpenShardCount"]) == ("ON_DEMAND", 4)
    assert (clicks["RetentionPeriodHours"], clicks["EncryptionType"]) == (48, "KMS")
    assert clicks["StreamStatus"] == "ACTIVE"
    orders = kinesis.describe_stream_summary(StreamName=run.outputs["orders"])["StreamDescriptionSummary"]
    assert (orders["StreamModeDetails"]["StreamMode"], orders["OpenShardCount"]) == ("PROVISIONED", 2)
    (consumer,) = kinesis.list_stream_consumers(StreamARN=clicks["StreamARN"])["Consumers"]
    assert consumer["ConsumerARN"] == run.outputs["consumer"]
    assert consumer["ConsumerStatus"] == "ACTIVE"
