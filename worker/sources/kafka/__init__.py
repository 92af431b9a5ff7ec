"""Source ``kafka``: a topic of Amazon MSK read as a consumer group, in order per key, committed when handled."""

from worker.sources.kafka.consumer import run

__all__ = ["run"]
