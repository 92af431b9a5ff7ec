"""`--auth`: who may subscribe as one consumer may not as another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emulator import Account, running_emulator


def subscribe(kinesis: Any, consumer_arn: str) -> None:
    answer = kinesis.subscribe_to_shard(
        ConsumerARN=consumer_arn, ShardId="shardId-000000000000", StartingPosition={"Type": "LATEST"}
    )
    answer["EventStream"].close()


def test_a_consumer_is_authorised_by_its_own_arn(tmp_path: Path) -> None:
    with running_emulator(tmp_path, "--auth") as url:
        root = Account(url)
        kinesis, iam = root.client("kinesis"), root.client("iam")
        kinesis.create_stream(StreamName="clicks", ShardCount=1)
        arn = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
        mine, other = (
            kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)["Consumer"]["ConsumerARN"]
            for name in ("mine", "other")
        )
        iam.create_user(UserName="reader")
        statement = {"Effect": "Allow", "Action": "kinesis:SubscribeToShard", "Resource": mine}
        iam.put_user_policy(
            UserName="reader",
            PolicyName="subscribe",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        reader = boto3.session.Session().client(
            "kinesis",
            endpoint_url=url,
            region_name=root.region,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        subscribe(reader, mine)
        with pytest.raises(ClientError, match="AccessDenied"):
            subscribe(reader, other)
