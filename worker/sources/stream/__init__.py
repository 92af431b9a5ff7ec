"""Source ``stream``: a Kinesis stream, shared among tasks by leases; each key in order, each idempotency key once."""

from worker.sources.stream.consumer import run

__all__ = ["run"]
