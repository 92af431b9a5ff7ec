"""Source ``activity``: tasks of a Step Functions activity, polled by a pool of containers that run all the time."""

from worker.sources.activity.polling import run

__all__ = ["run"]
