"""`python -m bench.contenders.confluent_loop BROKERS TOPIC GROUP [TABLE]`: the consumer that people write by hand.

Read up to 500 records, handle one after the other; the client commits by itself what it has handed out. With a table
each key is claimed before, and marked as completed after, the handler. No retry, no dead letters, no log.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from types import FrameType
from typing import Any

import boto3
from confluent_kafka import Consumer

from bench.contenders.meter import Meter

_RECORDS = 500


def main(brokers: str, topic: str, group: str, table: str | None) -> None:
    """Consume until SIGTERM."""
    dynamodb: Any = boto3.client("dynamodb") if table else None
    meter = Meter()
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    while not stopping:
        messages = consumer.consume(1, timeout=0.5)
        # The client waits until it has as many as it is asked for, so the rest is asked for without waiting.
        messages += consumer.consume(_RECORDS - 1, timeout=0) if messages else []
        for message in messages:
            if message.error():
                continue
            detail = json.loads(message.value() or b"")["detail"]
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
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
