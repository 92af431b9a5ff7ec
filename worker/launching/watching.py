"""Follow running tasks: one DescribeTasks for up to a hundred of them, however many threads wait."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from worker.logs import Field

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef

__all__ = ["LOOK_SECONDS", "Watcher"]

LOOK_SECONDS = 1.0
_BATCH = 100
"""ECS API reference, DescribeTasks: "up to 100 task IDs"."""

logger = logging.getLogger(__name__)


class Watcher:
    """Tells when tasks have stopped. Thread-safe; looks only while somebody waits."""

    def __init__(self, ecs: ECSClient, cluster: str, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._ecs = ecs
        self._cluster = cluster
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[TaskTypeDef | None]] = {}
        self._running = False

    def wait(self, task_arn: str) -> TaskTypeDef | None:
        """Block until the task has stopped, and answer what became of it; None when ECS no longer knows it."""
        with self._lock:
            # Two copies of an event may wait for one task.
            end = self._waiting.setdefault(task_arn, Future())
            if not self._running:
                self._running = True
                threading.Thread(target=self._look_until_idle, name="task-watcher", daemon=True).start()
        return end.result()

    def _look_until_idle(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._look_seconds):
            with self._lock:
                arns = list(self._waiting)
                if not arns:
                    self._running = False
                    return
            for start in range(0, len(arns), _BATCH):
                self._look(arns[start : start + _BATCH])

    def _look(self, arns: list[str]) -> None:
        try:
            answer = self._ecs.describe_tasks(cluster=self._cluster, tasks=arns)
        except (ClientError, BotoCoreError) as error:
            logger.warning("cannot look at the tasks; trying again", extra={Field.REASON: str(error)})
            return
        ended: dict[str, TaskTypeDef | None] = {
            task["taskArn"]: task for task in answer["tasks"] if task.get("lastStatus") == "STOPPED"
        }
        ended |= {failure["arn"]: None for failure in answer.get("failures", []) if failure.get("reason") == "MISSING"}
        with self._lock:
            ends = [(self._waiting.pop(arn), task) for arn, task in ended.items()]
        for end, task in ends:
            end.set_result(task)
