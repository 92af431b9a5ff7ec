"""Source ``queue``: an SQS queue, standard or FIFO, handled at least once in effect and once per idempotency key."""

from worker.sources.queue.consumer import run

__all__ = ["run"]
