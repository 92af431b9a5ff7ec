"""Celery on SQS, in the peer's own environment.

As a worker: ``celery -A bench.contenders.celery_app worker``. As a producer: ``python -m bench.contenders.celery_app
MESSAGES PER_SECOND`` (0: at once), in Celery's own message format, into the queue QUEUE_URL.
"""

from __future__ import annotations

import os
import sys
import time
from urllib.parse import urlsplit

from celery import Celery

from bench.contenders.meter import Meter

_QUEUE_URL = os.environ["QUEUE_URL"]
_ENDPOINT = urlsplit(os.environ["AWS_ENDPOINT_URL"])
_KEYS = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]

app = Celery("bench", broker=f"sqs://{_KEYS[0]}:{_KEYS[1]}@{_ENDPOINT.hostname}:{_ENDPOINT.port}")
app.conf.update(
    broker_transport_options={
        "region": os.environ["AWS_DEFAULT_REGION"],
        "is_secure": False,
        "wait_time_seconds": 1,
        "polling_interval": 0,
        "predefined_queues": {"orders": {"url": _QUEUE_URL, "access_key_id": _KEYS[0], "secret_access_key": _KEYS[1]}},
    },
    task_default_queue="orders",
    task_acks_late=True,
    task_ignore_result=True,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=10,
)

_meters: list[Meter] = []


@app.task(name="orders")  # type: ignore[untyped-decorator]  # Celery has no type information
def handle(data: dict[str, float]) -> None:
    """Count it."""
    if not _meters:
        _meters.append(Meter())
    _meters[0].handled(data)


def produce(messages: int, per_second: float) -> None:
    """Send so many tasks, at that pace."""
    begun = time.monotonic()
    for number in range(messages):
        if per_second:
            time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
        handle.delay({"order_id": number, "sent_at": time.time() if per_second else 0, "note": "x" * 330})


if __name__ == "__main__":
    produce(int(sys.argv[1]), float(sys.argv[2]))
