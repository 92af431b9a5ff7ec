"""Run a Fargate task for an event and see it through: a bounded rate, no launch lost, none doubled."""

from worker.launching.launcher import Launcher, TaskFailedError
from worker.launching.settings import LaunchSettings, read

__all__ = ["LaunchSettings", "Launcher", "TaskFailedError", "read"]
