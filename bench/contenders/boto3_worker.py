"""`python -m bench.contenders.boto3_worker QUEUE_URL [TABLE]`: the consumer that people write by hand.

Receive ten, handle one after the other, delete ten. With a table each key is claimed before, and marked as completed
after, the handler: the least that keeps a copy from being handled twice. No heartbeat, no dead letters, no order, no
answer is checked.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from types import FrameType
from typing import Any

import boto3

from bench.contenders.meter import Meter


def main(queue_url: str, table: str | None) -> None:
    """Consume until SIGTERM."""
    sqs = boto3.client("sqs")
    dynamodb: Any = boto3.client("dynamodb") if table else None
    meter = Meter()
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    while not stopping:
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages")
        for message in messages or ():
            detail = json.loads(message["Body"])["detail"]
            key = {"id": {"S": detail["metadata"]["idempotency-key"]}}
            expires = {":expires": {"N": str(int(time.time()) + 3600)}}
            if dynamodb:
                item = {**key, "expiration": expires[":expires"]}
                dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(id)")
            meter.handled(detail["data"])
            if dynamodb:
                dynamodb.update_item(
                    TableName=table,
                    Key=key,
                    UpdateExpression="SET expiration = :expires",
                    ExpressionAttributeValues=expires,
                )
        if messages:
            entries: Any = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
