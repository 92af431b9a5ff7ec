"""`python -m bench.contenders.boto3_worker QUEUE_URL [TABLE]`: the consumer that people write by hand.

Receive ten, handle one after the other, delete ten. With a table each key is claimed before, and marked as completed
after, the handler. No heartbeat, no dead letters, no order, no answer is checked.
"""

from __future__ import annotations

import sys
from typing import Any

import boto3

from bench.contenders.boto3_handling import Handling, Termination


def main(queue_url: str, table: str | None) -> None:
    """Consume until SIGTERM."""
    sqs = boto3.client("sqs")
    handling = Handling(table)
    termination = Termination()
    while not termination.asked:
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages")
        for message in messages or ():
            handling.handle(message["Body"])
        if messages:
            entries: Any = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
