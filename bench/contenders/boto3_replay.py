"""`boto3_replay.py DLQ_URL QUEUE_URL THREADS PROCESSES`: receive, send, delete, and nothing else.

The plain loop that people write; with many threads and processes it is the ceiling of what boto3 gets out of the
emulator. It keeps no attribute, checks no answer and journals nothing. Ends when a receive comes back empty.
"""

from __future__ import annotations

import subprocess
import sys
import threading

import boto3
from botocore.config import Config


def work(dlq_url: str, queue_url: str, threads: int) -> None:
    """Empty the queue with `threads` threads of this process."""
    sqs = boto3.client("sqs", config=Config(max_pool_connections=threads))

    def loop() -> None:
        while messages := sqs.receive_message(QueueUrl=dlq_url, MaxNumberOfMessages=10).get("Messages"):
            sqs.send_message_batch(
                QueueUrl=queue_url,
                Entries=[{"Id": str(n), "MessageBody": one["Body"]} for n, one in enumerate(messages)],
            )
            sqs.delete_message_batch(
                QueueUrl=dlq_url,
                Entries=[{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)],
            )

    running = [threading.Thread(target=loop) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def main(dlq_url: str, queue_url: str, threads: int, processes: int) -> int:
    """Run the other processes beside this one; returns the number that failed."""
    command = [sys.executable, __file__, dlq_url, queue_url, str(threads), "1"]
    others = [subprocess.Popen(command) for _ in range(processes - 1)]
    work(dlq_url, queue_url, threads)
    return sum(other.wait() != 0 for other in others)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
