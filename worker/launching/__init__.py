"""Run a Fargate task for an event and see it through: a bounded rate, no launch lost, none doubled."""

from worker.launching.large_events import LargeEvents
from worker.launching.launcher import Launcher, TaskFailedError
from worker.launching.settings import LaunchSettings, read

__all__ = ["LargeEvents", "LaunchSettings", "Launcher", "TaskFailedError", "read"]
